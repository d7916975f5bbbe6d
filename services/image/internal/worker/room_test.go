package worker

import (
	"context"
	"slices"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
)

// roomy are slots with so much memory.
func roomy(each int, size int64) *slots {
	s := newSlots(each, 100, time.Minute, nil)
	s.room.size = size
	return s
}

func slot(t *testing.T, s *slots, who side) *hold {
	t.Helper()
	h, err := s.take(t.Context(), who)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// asks begins to wait for memory and tells how that ended.
func asks(ctx context.Context, t *testing.T, h *hold, weight int64) <-chan error {
	t.Helper()
	before, got := h.slots.aside(), make(chan error, 1)
	go func() { got <- h.admit(ctx, weight) }()
	eventually(t, "somebody waits for memory", func() bool { return h.slots.aside() > before })
	return got
}

func (s *slots) aside() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.room.queue)
}

func letIn(t *testing.T, h *hold, weight int64) {
	t.Helper()
	if h.waits(weight) {
		t.Fatalf("%d of %d are used, and %d wait", h.slots.room.used, h.slots.room.size, weight)
	}
}

func TestWhatIsSmallOvertakesWhatHasNoRoom(t *testing.T) {
	s := roomy(2, 100)
	heavy := slot(t, s, callers)
	letIn(t, heavy, 80)
	second := slot(t, s, callers)
	turn := asks(t.Context(), t, second, 80)
	for range overtakes { // in the slot that the second lends
		small := slot(t, s, callers)
		letIn(t, small, 20)
		small.drop()
	}
	small := slot(t, s, callers)
	late := asks(t.Context(), t, small, 20) // it has been overtaken often enough
	heavy.drop()
	if err := <-turn; err != nil {
		t.Fatal(err)
	}
	if err := <-late; err != nil { // both fit now
		t.Fatal(err)
	}
	second.drop()
	small.drop()
	if s.room.used != 0 || s.used != [sides]int{} || s.room.waiting != [sides]int{} {
		t.Errorf("left: %+v, slots %v", s.room, s.used)
	}
}

func TestBesideWhatIsLargerThanAllSmallOnesGoOn(t *testing.T) {
	s := roomy(2, 100)
	half := slot(t, s, callers)
	letIn(t, half, 50)
	whale := slot(t, s, jobs)
	turn := asks(t.Context(), t, whale, 1000)
	half.drop()
	if err := <-turn; err != nil {
		t.Fatal(err)
	}
	small := slot(t, s, callers)
	letIn(t, small, 25)
	small.drop()
	larger := slot(t, s, callers)
	wait := asks(t.Context(), t, larger, 26)
	whale.drop()
	if err := <-wait; err != nil {
		t.Fatal(err)
	}
	larger.drop()
}

// Many that wait hold many originals: nobody else begins then.
func TestWhoWaitsForMemoryIsFew(t *testing.T) {
	s := roomy(2, 100)
	first := slot(t, s, callers)
	letIn(t, first, 100)
	var turns []<-chan error
	var all []*hold
	for range 2 {
		h := slot(t, s, callers)
		all, turns = append(all, h), append(turns, asks(t.Context(), t, h, 100))
	}
	next := waits(t, s, callers)
	slot(t, s, jobs).drop() // the other side's are none of theirs
	first.drop()
	drop := <-next // as one of the two is let in
	if err := <-turns[0]; err != nil {
		t.Fatal(err)
	}
	all[0].drop()
	if err := <-turns[1]; err != nil {
		t.Fatal(err)
	}
	all[1].drop()
	drop()
}

func TestWhoWaitsForMemoryMayGo(t *testing.T) {
	s := roomy(2, 100)
	first := slot(t, s, jobs)
	letIn(t, first, 100)
	second := slot(t, s, jobs)
	ctx, cancel := context.WithCancel(t.Context())
	gone := asks(ctx, t, second, 50)
	cancel()
	if err := <-gone; !fault.Is(err, fault.Canceled) {
		t.Errorf("got %v", err)
	}
	second.drop()
	s.patience = time.Millisecond
	third := slot(t, s, callers)
	if err := third.admit(t.Context(), 50); fault.ReasonOf(err) != "NODE_BUSY" {
		t.Errorf("a caller without patience was told %v", err)
	}
	third.drop()
	first.drop()
	if s.room.used != 0 || s.used != [sides]int{} || s.aside() != 0 {
		t.Errorf("left: %+v, slots %v", s.room, s.used)
	}
}

// Who is let in first is told by weights and order alone.
func TestOrderOfAdmission(t *testing.T) {
	for name, c := range map[string]struct {
		used    int64
		weights []int64
		want    []int
	}{
		"all that fit":               {0, []int64{50, 50, 50}, []int{0, 1}},
		"in order":                   {0, []int64{60, 60, 40}, []int{0, 2}},
		"none":                       {90, []int64{20, 30}, nil},
		"larger than all, first":     {0, []int64{500, 26, 25}, []int{0, 2}},
		"larger than all, not first": {26, []int64{500, 10}, []int{1}},
	} {
		r := room{size: 100, used: c.used}
		var all []*hold
		for _, w := range c.weights {
			h := &hold{weight: r.share(w), state: aside}
			all, r.queue = append(all, h), append(r.queue, h)
			r.waiting[h.who]++
		}
		var got []int
		for _, h := range r.grant(func(side) bool { return true }, func(side) {}) {
			got = append(got, slices.Index(all, h))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: let in %v, want %v", name, got, c.want)
		}
	}
}

// The time limit of the work begins once there is memory for it.
func TestHeavyPicturesAreMadeOneByOne(t *testing.T) {
	b := newBench(t)
	rendering, end := make(chan string, 3), map[string]chan struct{}{"heavy": make(chan struct{}), "huge": make(chan struct{}), "light": make(chan struct{})}
	b.render = func(_ context.Context, v []recipe.Variant) ([]Rendered, error) {
		rendering <- v[0].Name
		<-end[v[0].Name]
		return []Rendered{{Name: v[0].Name}}, nil
	}
	w := b.worker(func(c *Config) { c.Memory = 100 })
	w.Transformer.parts.Weigh = func(_ job.Input, v []recipe.Variant) int64 {
		return int64(map[string]int{"heavy": 90, "huge": 300, "light": 10}[v[0].Name])
	}
	done := map[string]chan error{}
	ask := func(name string) {
		done[name] = make(chan error, 1)
		v := thumb()
		v.Name = name
		go func() {
			_, err := w.Transformer.Transform(t.Context(), digest, recipe.Recipe{Variants: []recipe.Variant{v}})
			done[name] <- err
		}()
	}
	ask("heavy")
	<-rendering
	ask("huge")
	eventually(t, "the huge one waits", func() bool { return w.Transformer.slots.aside() == 1 })
	if _, inFlight, waiting := w.Load(); inFlight != 1 || waiting != 1 {
		t.Errorf("%d in flight, %d waiting", inFlight, waiting)
	}
	ask("light")
	if name := <-rendering; name != "light" {
		t.Fatalf("%s was begun", name)
	}
	close(end["heavy"])
	close(end["light"])
	if name := <-rendering; name != "huge" {
		t.Fatalf("%s was begun", name)
	}
	close(end["huge"])
	for name, d := range done {
		if err := <-d; err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
