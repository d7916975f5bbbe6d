package job_test

import (
	"testing"

	"calotype/services/image/internal/job"
)

func TestTurns(t *testing.T) {
	turns := job.Turns{}
	if class, any := turns.Next(func(job.Class) bool { return false }); any {
		t.Errorf("nobody waits, and %q is next", class)
	}
	took := map[job.Class]int{}
	for range 120 {
		class, _ := turns.Next(func(job.Class) bool { return true })
		took[class]++
	}
	if took[job.Interactive] != 80 || took[job.Normal] != 30 || took[job.Bulk] != 10 {
		t.Errorf("of 120 deliveries: %v, want 80, 30 and 10", took)
	}
	for range 50 { // who does not wait saves nothing up
		if class, _ := turns.Next(func(c job.Class) bool { return c == job.Bulk }); class != job.Bulk {
			t.Fatalf("%q is next, and only bulk waits", class)
		}
	}
	if class, _ := turns.Next(func(job.Class) bool { return true }); class != job.Interactive {
		t.Errorf("%q is next, want interactive", class)
	}
}
