package manager_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
)

func TestWishesAreChecked(t *testing.T) {
	w := begin(t, still, func(s *setting) {
		s.parts.CheckURL = func(u string) string {
			if !strings.HasPrefix(u, "https://") {
				return "is not https"
			}
			return ""
		}
	})
	im := w.create(manager.CreateImage{}).Image
	year := 366 * 24 * time.Hour
	for name, c := range map[string]struct {
		wishes job.Wishes
		path   string // "" is right
	}{
		"none":                    {job.Wishes{}, ""},
		"all":                     {job.Wishes{Tenant: "a.B_9-", Class: job.Interactive, MaxAttempts: 100, NotBefore: time.Now().Add(year - time.Hour), Keep: time.Second, Webhook: "https://a", Unique: true}, ""},
		"a time that is past":     {job.Wishes{NotBefore: time.Unix(0, 0)}, ""},
		"a long tenant":           {job.Wishes{Tenant: strings.Repeat("x", 64)}, ""},
		"a longer tenant":         {job.Wishes{Tenant: strings.Repeat("x", 65)}, "options.tenant"},
		"a tenant with a blank":   {job.Wishes{Tenant: "a b"}, "options.tenant"},
		"a tenant with a newline": {job.Wishes{Tenant: "ab\n"}, "options.tenant"},
		"a tenant's accents":      {job.Wishes{Tenant: "é"}, "options.tenant"},
		"no class":                {job.Wishes{Class: "urgent"}, "options.priority"},
		"less than no attempt":    {job.Wishes{MaxAttempts: -1}, "options.max_attempts"},
		"too many attempts":       {job.Wishes{MaxAttempts: 101}, "options.max_attempts"},
		"too late":                {job.Wishes{NotBefore: time.Now().Add(year + time.Hour)}, "options.not_before"},
		"too short":               {job.Wishes{Keep: time.Second - 1}, "options.ttl"},
		"less than nothing":       {job.Wishes{Keep: -time.Hour}, "options.ttl"},
		"a bad webhook":           {job.Wishes{Webhook: "ftp://a"}, "options.webhook_url"},
	} {
		work := manager.Work{Preset: "thumb"}
		_, job := w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Work: work, Wishes: c.wishes})
		_, batch := w.Batches.Create(t.Context(), manager.CreateBatch{Images: w.images(1), Work: work, Wishes: c.wishes})
		_, image := w.Images.Create(t.Context(), manager.CreateImage{Digest: digest(1), Work: work, Wishes: c.wishes})
		for on, err := range map[string]error{"a job": job, "a batch": batch, "an image": image} {
			f := fault.As(err)
			switch {
			case c.path == "" && err != nil:
				t.Errorf("%s, %s: %v", on, name, err)
			case c.path != "" && (f == nil || f.Reason != "BAD_OPTIONS" || len(f.Fields) != 1 || f.Fields[0].Path != c.path):
				t.Errorf("%s, %s: %v, want it wrong at %s", on, name, err, c.path)
			}
		}
	}
}

func TestWishesOfAnImage(t *testing.T) {
	w := begin(t, still)
	paths := func(req manager.CreateImage) (all string) {
		req.Digest = digest(1)
		_, err := w.Images.Create(t.Context(), req)
		if f := fault.As(err); f != nil {
			all = f.Reason
			for _, field := range f.Fields {
				all += " " + field.Path
			}
		}
		return all
	}
	for name, c := range map[string]struct {
		req  manager.CreateImage
		want string
	}{
		"options without work": {manager.CreateImage{Wishes: job.Wishes{Tenant: "a"}}, "BAD_OPTIONS options"},
		"a webhook, where there are none": {manager.CreateImage{Work: manager.Work{Preset: "thumb"}, Wishes: job.Wishes{Webhook: "https://a"}},
			"BAD_OPTIONS options.webhook_url"},
		"all at once": {manager.CreateImage{Keep: time.Millisecond, Wishes: job.Wishes{MaxAttempts: -1}}, "BAD_OPTIONS ttl options options.max_attempts"},
	} {
		if got := paths(c.req); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	if all, _, err := w.Images.List(t.Context(), 10, ""); err != nil || len(all) != 0 {
		t.Errorf("%d images are there, %v", len(all), err)
	}
}

// What was asked for comes back, and reaches the node.
func TestWishesAreKept(t *testing.T) {
	w := begin(t)
	tasks := make(chan job.Delivery, 1)
	var attempts int
	w.node(func(d job.Delivery, task job.Task, tell func(job.Report)) job.Verdict {
		attempts = task.MaxAttempts
		tasks <- d
		return succeed(d, task, tell)
	})
	req := thumb()
	req.Wishes = job.Wishes{Tenant: "t", Class: job.Interactive, MaxAttempts: 3, Keep: time.Hour}
	a := w.create(req)
	d := <-tasks
	j, _ := w.ended(a.Job.ID)
	if d.Class != job.Interactive || attempts != 3 || j.Wishes != req.Wishes || !j.Expires.Equal(j.Ended.Add(time.Hour)) {
		t.Errorf("class %s, %d attempts, %+v", d.Class, attempts, j)
	}
	if mine, _, err := w.Jobs.List(t.Context(), job.Filter{Tenant: "t"}, 10, ""); err != nil || len(mine) != 1 {
		t.Errorf("the tenant has %d jobs, %v", len(mine), err)
	}
}

func TestPathsLeadToWhereItWasWritten(t *testing.T) {
	w := begin(t, still)
	im := w.create(manager.CreateImage{}).Image
	two := &recipe.Recipe{Variants: []recipe.Variant{{Name: "a"}, {Name: "b"}}}
	wide := func(name string) recipe.Variant {
		return recipe.Variant{Name: name, Steps: []recipe.Step{recipe.Resize{Mode: recipe.Fill, Width: 16384, Height: 5}}, Output: recipe.Output{Format: recipe.WebP}}
	}
	bad := &recipe.Recipe{Variants: []recipe.Variant{{Name: "a"}, {Name: "B"}}}
	for name, c := range map[string]struct {
		work manager.Work
		path string
	}{
		"the recipe's own":                {manager.Work{Recipe: bad}, "recipe.variants[1].name"},
		"an empty one":                    {manager.Work{Recipe: &recipe.Recipe{}}, "recipe.variants"},
		"a further one":                   {manager.Work{Recipe: two, Variants: []string{"c:w_1", "D:w_1"}}, "variants[1].name"},
		"one that clashes":                {manager.Work{Recipe: two, Variants: []string{"c:w_1", "b:w_1"}}, "variants[1].name"},
		"two that clash":                  {manager.Work{Recipe: two, Variants: []string{"c:w_1", "c:w_1"}}, "variants[1].name"},
		"without a recipe":                {manager.Work{Variants: []string{"c:w_1", "c:w_1"}}, "variants[1].name"},
		"of this picture":                 {manager.Work{Recipe: &recipe.Recipe{Variants: []recipe.Variant{{Name: "a"}, wide("b")}}}, "recipe.variants[1].operations[0].resize"},
		"of this picture, a further one":  {manager.Work{Recipe: two, Variants: []string{"c:w_1", "d:w_16384,h_5,c_fill/f_webp"}}, "variants[1].operations[0].resize"},
		"too many, the recipe's and more": {manager.Work{Recipe: two, Variants: many(31)}, "recipe.variants"},
	} {
		_, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Work: c.work})
		wantFault(t, name, err, fault.Invalid, "BAD_RECIPE")
		if f := fault.As(err); f != nil && (len(f.Fields) != 1 || f.Fields[0].Path != c.path) {
			t.Errorf("%s: wrong at %+v, want %s", name, f.Fields, c.path)
		}
	}
}

func many(n int) (all []string) {
	for i := range n {
		all = append(all, "v"+string(rune('a'+i%26))+string(rune('a'+i/26))+":w_1")
	}
	return all
}

// Two ways to ask for the same are the same under a key.
func TestWishesUnderAKey(t *testing.T) {
	w := begin(t, still)
	im := w.create(manager.CreateImage{}).Image
	ask := func(wishes job.Wishes) (job.Job, error) {
		return w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Key: "k", Work: manager.Work{Preset: "thumb"}, Wishes: wishes})
	}
	first, err := ask(job.Wishes{})
	if err != nil {
		t.Fatal(err)
	}
	if again, err := ask(job.Wishes{Class: job.Normal}); err != nil || again.ID != first.ID {
		t.Errorf("said aloud, what is meant anyway is another request: %v", err)
	}
	for name, other := range map[string]job.Wishes{
		"a tenant": {Tenant: "t"}, "a class": {Class: job.Bulk}, "attempts": {MaxAttempts: 1}, "a time": {NotBefore: time.Unix(1, 0)},
		"a time to live": {Keep: time.Hour}, "unique": {Unique: true},
	} {
		_, err := ask(other)
		wantFault(t, name, err, fault.Conflict, "IDEMPOTENCY_KEY_REUSED")
	}
}

// The same recipe on the same image is one job as long as it has not ended, however it is written and whoever asks.
func TestUniqueJobs(t *testing.T) {
	w := begin(t, still)
	im, other := w.create(manager.CreateImage{}).Image, w.create(manager.CreateImage{Digest: digest(2)}).Image
	short := manager.Work{Variants: []string{"a:h_20,w_10"}}
	long := manager.Work{Recipe: &recipe.Recipe{Variants: []recipe.Variant{{Name: "a",
		Steps:  []recipe.Step{recipe.Resize{Mode: recipe.Limit, Width: 10, Height: 20}},
		Output: recipe.Output{Format: recipe.JPEG, Quality: recipe.DefaultQuality}}}}}
	unique := func(id job.ImageID, work manager.Work, key string) job.Job {
		t.Helper()
		j, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: id, Work: work, Key: key, Wishes: job.Wishes{Unique: true}})
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	first := unique(im.ID, short, "")
	if again := unique(im.ID, long, ""); again.ID != first.ID {
		t.Errorf("written another way it is another job:\n%+v\n%+v", first.Recipe, again.Recipe)
	}
	if keyed := unique(im.ID, long, "k"); keyed.ID != first.ID {
		t.Error("under a key it is another job")
	}
	if unique(other.ID, short, "").ID == first.ID || unique(im.ID, manager.Work{Variants: []string{"b:h_20,w_10"}}, "").ID == first.ID {
		t.Error("another image, or another name, is the same job")
	}
	plain, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: im.ID, Work: short})
	if err != nil || plain.ID == first.ID {
		t.Errorf("who did not ask for it gets it: %v", err)
	}
	var (
		g    errgroup.Group
		mu   sync.Mutex
		seen = map[job.ID]bool{}
	)
	for range 30 {
		g.Go(func() error {
			j, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: other.ID, Work: manager.Work{Preset: "web"}, Wishes: job.Wishes{Unique: true}})
			mu.Lock()
			defer mu.Unlock()
			seen[j.ID] = true
			return err
		})
	}
	if err := g.Wait(); err != nil || len(seen) != 1 {
		t.Errorf("30 at once made %d jobs, %v", len(seen), err)
	}
	for _, id := range []job.ID{first.ID, plain.ID} {
		if _, err := w.Jobs.Cancel(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	next := unique(im.ID, long, "")
	if next.ID == first.ID || next.State != job.Queued {
		t.Errorf("after its end it is %+v", next)
	}
	if keyed := unique(im.ID, long, "k"); keyed.ID != first.ID || keyed.State != job.Cancelled {
		t.Errorf("under its key it is no more what was answered: %+v", keyed)
	}
}

// A scheduled job is released in the very moment that it waits for, and one that was cancelled before is never delivered.
func TestTheMomentOfASchedule(t *testing.T) {
	now := time.Now().UTC().Truncate(time.Second)
	w := begin(t, still, func(s *setting) { s.parts.Now = func() time.Time { return now } })
	at := now.Add(time.Minute)
	a, b := w.create(scheduled(at)), w.create(scheduled(at))
	if j, err := w.Jobs.Cancel(t.Context(), b.Job.ID); err != nil || j.State != job.Cancelled {
		t.Fatalf("cancelled while it waits: %+v, %v", j, err)
	}
	for _, c := range []struct {
		now  time.Time
		want job.State
	}{{at.Add(-time.Microsecond), job.Scheduled}, {at, job.Queued}} {
		now = c.now
		w.round(w.Scheduler)
		if j, err := w.Jobs.Get(t.Context(), a.Job.ID); err != nil || j.State != c.want {
			t.Errorf("at %v it is %s, %v, want %s", c.now, j.State, err, c.want)
		}
	}
	if census, err := w.store.Census(t.Context()); err != nil || census.Outbox != 1 || census.Jobs[job.Cancelled] != 1 {
		t.Errorf("%+v, %v", census, err)
	}
	if now = at; w.create(scheduled(at)).Job.State != job.Queued {
		t.Error("a job whose time has come waits")
	}
}
