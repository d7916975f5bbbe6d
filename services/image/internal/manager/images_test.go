package manager_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
)

func TestFromUploadToVariant(t *testing.T) {
	w := begin(t)
	w.node(succeed)
	a := w.create(manager.CreateImage{Filename: `C:\fotos\a.jpg`, Work: manager.Work{Preset: "thumb", Variants: []string{"tiny:w_16,f_png"}}})
	if a.Image.Filename != "a.jpg" || a.Image.Width != 400 || a.Image.Digest != digest(1) || a.Job.State != job.Queued || a.Job.Preset != "thumb" {
		t.Errorf("accepted %+v, %+v", a.Image, a.Job)
	}
	j, story := w.ended(a.Job.ID)
	if j.State != job.Succeeded || len(j.Results) != 3 {
		t.Errorf("ended as %+v", j)
	}
	wantStory(t, story, job.Succeeded)
	for _, name := range []string{"thumb", "thumb_small", "tiny"} {
		if r, err := w.Images.Variant(t.Context(), a.Image.ID, name); err != nil || r.Name != name {
			t.Errorf("variant %s: %+v, %v", name, r, err)
		}
	}
	_, err := w.Images.Variant(t.Context(), a.Image.ID, "none")
	wantFault(t, "a variant that nobody asked for", err, fault.NotFound, "VARIANT_NOT_FOUND")
	_, err = w.Images.Variant(t.Context(), "img_none", "thumb")
	wantFault(t, "a variant of no image", err, fault.NotFound, "IMAGE_NOT_FOUND")
}

func TestVariantWhileItIsMade(t *testing.T) {
	w := begin(t, still)
	a := w.create(thumb())
	_, err := w.Images.Variant(t.Context(), a.Image.ID, "thumb")
	wantFault(t, "a variant under way", err, fault.NotFound, "VARIANT_NOT_READY")
	_, err = w.Images.Variant(t.Context(), a.Image.ID, "wide")
	wantFault(t, "another name meanwhile", err, fault.NotFound, "VARIANT_NOT_FOUND")
	if _, err := w.Jobs.Cancel(t.Context(), a.Job.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Images.Variant(t.Context(), a.Image.ID, "thumb")
	wantFault(t, "after the job was cancelled", err, fault.NotFound, "VARIANT_NOT_FOUND")
}

func TestCreateWithoutWork(t *testing.T) {
	w := begin(t, still)
	a := w.create(manager.CreateImage{})
	if a.Job != nil {
		t.Errorf("a job began unasked: %+v", a.Job)
	}
	got, err := w.Images.Get(t.Context(), a.Image.ID)
	if err != nil || got != a.Image {
		t.Errorf("got %+v, %v, want %+v", got, err, a.Image)
	}
}

func TestCreateRefuses(t *testing.T) {
	w := begin(t, still)
	for name, c := range map[string]struct {
		req    manager.CreateImage
		reason string
		path   string
	}{
		"a short digest":     {manager.CreateImage{Digest: "abc"}, "BAD_DIGEST", "digest"},
		"an unknown preset":  {manager.CreateImage{Digest: digest(1), Work: manager.Work{Preset: "webb"}}, "UNKNOWN_PRESET", "preset"},
		"preset and recipe":  {manager.CreateImage{Digest: digest(1), Work: manager.Work{Preset: "web", Recipe: &recipe.Recipe{}}}, "BAD_RECIPE", "preset"},
		"an empty recipe":    {manager.CreateImage{Digest: digest(1), Work: manager.Work{Recipe: &recipe.Recipe{}}}, "BAD_RECIPE", "recipe.variants"},
		"a bad option":       {manager.CreateImage{Digest: digest(1), Work: manager.Work{Variants: []string{"a:w_0"}}}, "BAD_OPTIONS", "variants[0]"},
		"names that clash":   {manager.CreateImage{Digest: digest(1), Work: manager.Work{Preset: "thumb", Variants: []string{"thumb:w_9"}}}, "BAD_RECIPE", "variants[0].name"},
		"a long idempotency": {manager.CreateImage{Digest: digest(1), Key: strings.Repeat("k", 256)}, "BAD_IDEMPOTENCY_KEY", "idempotency_key"},
	} {
		_, err := w.Images.Create(t.Context(), c.req)
		wantFault(t, name, err, fault.Invalid, c.reason)
		if e := fault.As(err); e != nil && (len(e.Fields) == 0 || !strings.HasPrefix(e.Fields[0].Path, c.path)) {
			t.Errorf("%s: fields %v, want one at %s", name, e.Fields, c.path)
		}
	}
	if w.look.asked > 0 {
		t.Errorf("nodes were asked %d times about requests that are wrong anyhow", w.look.asked)
	}
	w.look.err = fault.New(fault.Invalid, "BROKEN_IMAGE", "it is cut off")
	_, err := w.Images.Create(t.Context(), manager.CreateImage{Digest: digest(1), Key: "k"})
	wantFault(t, "what a node finds", err, fault.Invalid, "BROKEN_IMAGE")
	w.look.err = nil
	if a := w.create(manager.CreateImage{Key: "k"}); a.Image.ID == "" {
		t.Error("a refusal used the key up")
	}
}

// A hundred at once under one key, by way of the use case: one image, one job, one answer.
func TestConcurrentCreatesUnderOneKey(t *testing.T) {
	w := begin(t)
	w.node(succeed)
	req := thumb()
	req.Digest, req.Key = digest(1), "k"
	var (
		wg      sync.WaitGroup
		answers = make([]manager.Accepted, 100)
	)
	for i := range answers {
		wg.Go(func() {
			var err error
			if answers[i], err = w.Images.Create(t.Context(), req); err != nil {
				t.Errorf("create %d: %v", i, err)
			}
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	for _, a := range answers {
		if a.Image.ID != answers[0].Image.ID || a.Job.ID != answers[0].Job.ID {
			t.Fatalf("answers differ: %s and %s", a.Job.ID, answers[0].Job.ID)
		}
	}
	other := req
	other.Preset = "web"
	_, err := w.Images.Create(t.Context(), other)
	wantFault(t, "another payload", err, fault.Conflict, "IDEMPOTENCY_KEY_REUSED")
	_, err = w.Jobs.Create(t.Context(), manager.CreateJob{Image: answers[0].Image.ID, Key: "k", Work: req.Work})
	wantFault(t, "another method", err, fault.Conflict, "IDEMPOTENCY_KEY_REUSED")

	w.ended(answers[0].Job.ID)
	if again := w.create(req); again.Job.ID != answers[0].Job.ID || again.Job.State != job.Succeeded {
		t.Errorf("later, the same request gave %+v", again.Job)
	}
	jobs, _, err := w.Jobs.List(t.Context(), job.Filter{}, 0, "")
	if err != nil || len(jobs) != 1 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}

func TestPages(t *testing.T) {
	w := begin(t, still)
	var images []job.ImageID
	var jobs []job.ID
	for range 5 {
		a := w.create(thumb())
		images, jobs = append(images, a.Image.ID), append(jobs, a.Job.ID)
	}
	slices.Reverse(images)
	slices.Reverse(jobs)
	var gotImages []job.ImageID
	for token, more := "", true; more; more = token != "" {
		page, next, err := w.Images.List(t.Context(), 2, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, im := range page {
			gotImages = append(gotImages, im.ID)
		}
		token = next
	}
	if !slices.Equal(gotImages, images) {
		t.Errorf("images %v, want %v", gotImages, images)
	}
	queued := job.Filter{States: []job.State{job.Queued}}
	var gotJobs []job.ID
	first := ""
	for token, more := "", true; more; more = token != "" {
		page, next, err := w.Jobs.List(t.Context(), queued, 2, token)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page {
			gotJobs = append(gotJobs, j.ID)
		}
		if token = next; first == "" {
			first = next
		}
	}
	if !slices.Equal(gotJobs, jobs) {
		t.Errorf("jobs %v, want %v", gotJobs, jobs)
	}
	_, _, err := w.Jobs.List(t.Context(), job.Filter{}, 2, first)
	wantFault(t, "a token of another filter", err, fault.Invalid, "BAD_PAGE_TOKEN")
	_, _, err = w.Images.List(t.Context(), 2, first)
	wantFault(t, "a token of another listing", err, fault.Invalid, "BAD_PAGE_TOKEN")
	_, _, err = w.Images.List(t.Context(), 1001, "")
	wantFault(t, "too large a page", err, fault.Invalid, "BAD_PAGE_SIZE")
}

func TestPlan(t *testing.T) {
	w := begin(t, still)
	a := w.create(manager.CreateImage{})
	p, err := w.Images.Plan(t.Context(), manager.Address{Image: a.Image.ID, Options: "w_100,h_100,c_fill/f_auto", Extension: "jpg", Accept: "image/avif,image/webp"})
	if err != nil || p.Variant.Output.Format != recipe.AVIF || !p.Vary || p.Image != a.Image {
		t.Errorf("planned %+v, %v", p, err)
	}
	if want := recipe.Key(string(digest(1)), p.Variant, recipe.EngineVersion); p.Key != want {
		t.Errorf("key %s, want %s", p.Key, want)
	}
	p, err = w.Images.Plan(t.Context(), manager.Address{Image: a.Image.ID, Extension: "png", Accept: "image/avif"})
	if err != nil || p.Variant.Output.Format != recipe.PNG || p.Vary {
		t.Errorf("by extension: %+v, %v", p, err)
	}
	_, err = w.Images.Plan(t.Context(), manager.Address{Image: "img_none", Options: "w_100"})
	wantFault(t, "no image", err, fault.NotFound, "IMAGE_NOT_FOUND")
	_, err = w.Images.Plan(t.Context(), manager.Address{Image: a.Image.ID, Options: "w_x"})
	wantFault(t, "bad options", err, fault.Invalid, "BAD_OPTIONS")
	if presets := w.Images.Presets(); len(presets) != 4 || presets[0].Name != "card" {
		t.Errorf("presets %v", presets)
	}
}

func TestDelete(t *testing.T) {
	w := begin(t, still)
	a := w.create(thumb())
	seen := make(chan job.Event, 10)
	over := make(chan error, 1)
	go func() {
		over <- w.Jobs.Watch(t.Context(), a.Job.ID, 0, func(e job.Event) error { seen <- e; return nil })
	}()
	if e := <-seen; e.State != job.Queued {
		t.Fatalf("first came %+v", e)
	}
	if err := w.Images.Delete(t.Context(), a.Image.ID); err != nil {
		t.Fatal(err)
	}
	if err := <-over; err != nil {
		t.Errorf("watching a job whose image was deleted: %v", err)
	}
	if e := <-seen; e.State != job.Cancelled || e.Sequence != 2 || e.Failure == nil || e.Failure.Reason != "IMAGE_DELETED" {
		t.Errorf("last came %+v", e)
	}
	_, err := w.Images.Get(t.Context(), a.Image.ID)
	wantFault(t, "a deleted image", err, fault.NotFound, "IMAGE_NOT_FOUND")
	_, err = w.Jobs.Get(t.Context(), a.Job.ID)
	wantFault(t, "its job", err, fault.NotFound, "JOB_NOT_FOUND")
	_, err = w.Jobs.Create(t.Context(), manager.CreateJob{Image: a.Image.ID, Work: manager.Work{Preset: "web"}})
	wantFault(t, "a job on it", err, fault.NotFound, "IMAGE_NOT_FOUND")
	if err := w.Images.Delete(t.Context(), a.Image.ID); err != nil {
		t.Errorf("deleting again: %v", err)
	}
}

func TestWatchEndsWithItsWatcher(t *testing.T) {
	w := begin(t, still)
	a := w.create(thumb())
	gone := errors.New("the client is gone")
	if err := w.Jobs.Watch(t.Context(), a.Job.ID, 0, func(job.Event) error { return gone }); !errors.Is(err, gone) {
		t.Errorf("watching ended with %v", err)
	}
	err := w.Jobs.Watch(t.Context(), "job_none", 0, func(job.Event) error { return nil })
	wantFault(t, "watching no job", err, fault.NotFound, "JOB_NOT_FOUND")
}
