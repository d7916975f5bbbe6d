package cluster

import "time"

// epoch is read once: what passed since then needs the monotonic clock alone, which is quicker to read than both and does not jump
// when someone sets the time.
var epoch = time.Now()

// Clock is the time that this package counts in: nanoseconds since the process began.
func Clock() int64 { return int64(time.Since(epoch)) }

// At gives a moment of Clock as others count time.
func At(clock int64) time.Time { return epoch.Add(time.Duration(clock)) }
