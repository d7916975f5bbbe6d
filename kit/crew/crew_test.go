package crew

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pass lets the time of a synctest bubble go by.
func pass(d time.Duration) { <-time.After(d) }

func TestEveryFunctionRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		var (
			mu   sync.Mutex
			runs int
			all  sync.WaitGroup
		)
		for range 10 {
			for range 100 {
				all.Add(1)
				c.Go(func() {
					defer all.Done()
					mu.Lock()
					defer mu.Unlock()
					runs++
				})
			}
			all.Wait()
		}
		if runs != 1000 {
			t.Errorf("%d of 1000 ran", runs)
		}
		pass(2 * rest) // the test ends only when every goroutine has
	})
}

// Functions that wait for each other all run at once.
func TestNobodyWaitsForASlot(t *testing.T) {
	synctest.Test(t, func(*testing.T) {
		c := New()
		var all sync.WaitGroup
		for range 50 {
			all.Add(1)
			c.Go(func() {
				all.Done()
				all.Wait()
			})
		}
		all.Wait()
		pass(2 * rest)
	})
}

func TestGoroutinesStay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := New()
		c.Go(func() {})
		synctest.Wait() // it waits for more
		select {
		case c.work <- func() {}:
		default:
			t.Error("nobody takes more")
		}
		pass(2 * rest)
		synctest.Wait()
		select {
		case c.work <- func() {}:
			t.Error("somebody stays for ever")
		default:
		}
	})
}
