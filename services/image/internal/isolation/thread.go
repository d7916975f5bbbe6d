//go:build linux

package isolation

import "runtime"

// thread is one thread of the system that starts all helpers: what keeps files from them is inherited from the thread that starts them,
// and they are killed when that thread ends.
type thread struct {
	todo chan func()
	done chan struct{}
}

// newThread keeps what runs on it from files, or says why that cannot be done.
func newThread() (*thread, error) {
	t := &thread{todo: make(chan func()), done: make(chan struct{})}
	fenced := make(chan error)
	go func() {
		defer close(t.done)
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine, and nothing else runs on it
		fenced <- fence()
		for do := range t.todo {
			do()
		}
	}()
	return t, <-fenced
}

func (t *thread) do(f func()) {
	over := make(chan struct{})
	t.todo <- func() {
		defer close(over)
		f()
	}
	<-over
}

func (t *thread) end() {
	close(t.todo)
	<-t.done
}
