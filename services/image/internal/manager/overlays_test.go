package manager_test

import (
	"strings"
	"testing"
	"time"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/manager"
	"calotype/services/image/internal/recipe"
)

// Wherever a recipe comes in, the digest of the overlay's image takes the place of its identifier, and the key tells it.
func TestOverlaysAreResolvedWhereRecipesComeIn(t *testing.T) {
	w := begin(t, still)
	logo := w.create(manager.CreateImage{Digest: digest(7)}).Image
	other := w.create(manager.CreateImage{Digest: digest(8)}).Image
	same := w.create(manager.CreateImage{Digest: digest(7)}).Image // the same bytes under another identifier
	photo := w.create(manager.CreateImage{Digest: digest(1)}).Image
	want := string(digest(7))
	options := func(id job.ImageID) string { return "w_200/l_" + string(id) + ",w_0.2,g_south_east" }

	marked := &recipe.Recipe{Variants: []recipe.Variant{{Name: "a", Steps: []recipe.Step{recipe.Overlay{Image: string(logo.ID)}}}}}
	for name, work := range map[string]manager.Work{"a recipe": {Recipe: marked}, "variants": {Variants: []string{"a:" + options(logo.ID)}}} {
		j, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: photo.ID, Work: work})
		if err != nil || len(j.Recipe.Layers()) != 1 || j.Recipe.Layers()[0] != want {
			t.Errorf("a job by %s: %+v, %v", name, j.Recipe, err)
		}
		a, err := w.Images.Create(t.Context(), manager.CreateImage{Digest: digest(2), Work: work})
		if err != nil || a.Job.Recipe.Layers()[0] != want {
			t.Errorf("an image with %s: %v", name, err)
		}
		b, err := w.Batches.Create(t.Context(), manager.CreateBatch{Images: []job.ImageID{photo.ID}, Work: work})
		if err != nil {
			t.Fatal(err)
		}
		of, _, err := w.Jobs.List(t.Context(), job.Filter{Batch: b.ID}, 1, "")
		if err != nil || of[0].Recipe.Layers()[0] != want {
			t.Errorf("a batch by %s: %v", name, err)
		}
	}
	if marked.Variants[0].Steps[0].(recipe.Overlay).Digest != "" {
		t.Error("the caller's recipe was changed")
	}
	keys := map[job.ImageID]string{}
	for _, id := range []job.ImageID{logo.ID, other.ID, same.ID} {
		p, err := w.Images.Plan(t.Context(), manager.Address{Image: photo.ID, Options: options(id), Extension: "webp"})
		if err != nil {
			t.Fatal(err)
		}
		keys[id] = p.Key
	}
	if keys[logo.ID] == keys[other.ID] || keys[logo.ID] != keys[same.ID] {
		t.Errorf("keys %v: equal bytes share one, others do not", keys)
	}
}

func TestOverlaysThatAreNotThere(t *testing.T) {
	w := begin(t, still)
	w.shelf.strict = true
	w.shelf.put(time.Now(), digest(1), digest(7))
	photo := w.create(manager.CreateImage{Digest: digest(1)}).Image
	logo := w.create(manager.CreateImage{Digest: digest(7)}).Image
	missing := func(what string, err error, path string) {
		t.Helper()
		f := fault.As(err)
		if !fault.Is(err, fault.NotFound) || f.Reason != "OVERLAY_NOT_FOUND" || path != "" && (len(f.Fields) != 1 || f.Fields[0].Path != path || !strings.Contains(f.Fields[0].Message, "img_none")) {
			t.Errorf("%s: %v", what, err)
		}
	}
	r := &recipe.Recipe{Variants: []recipe.Variant{{Name: "a", Steps: []recipe.Step{recipe.Blur{Sigma: 1}, recipe.Overlay{Image: "img_none"}}}}}
	_, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: photo.ID, Work: manager.Work{Recipe: r}})
	missing("by a recipe", err, "recipe.variants[0].operations[1].overlay.image_id")
	_, err = w.Jobs.Create(t.Context(), manager.CreateJob{Image: photo.ID, Work: manager.Work{Recipe: &recipe.Recipe{Variants: []recipe.Variant{{Name: "b"}}}, Variants: []string{"a:l_img_none"}}})
	missing("by a further variant", err, "variants[0].operations[0].overlay.image_id")
	_, err = w.Images.Plan(t.Context(), manager.Address{Image: photo.ID, Options: "w_5/l_img_none"})
	missing("on the fly", err, "variants[0].operations[1].overlay.image_id")
	_, err = w.Images.Create(t.Context(), manager.CreateImage{Digest: digest(1), Work: manager.Work{Variants: []string{"a:l_img_none"}}})
	missing("with an image", err, "variants[0].operations[0].overlay.image_id")
	if _, err := w.Images.Plan(t.Context(), manager.Address{Image: photo.ID, Options: "l_sha256:" + string(digest(7))}); fault.ReasonOf(err) != "BAD_OPTIONS" {
		t.Errorf("a digest in an address: %v", err)
	}

	// The bytes of a job's overlay are as young as the job: deleting the image takes them after the grace at the earliest.
	ask := manager.CreateJob{Image: photo.ID, Work: manager.Work{Variants: []string{"a:l_" + string(logo.ID)}}}
	if _, err := w.Jobs.Create(t.Context(), ask); err != nil {
		t.Fatal(err)
	}
	if err := w.Images.Delete(t.Context(), logo.ID); err != nil {
		t.Fatal(err)
	}
	_, err = w.Jobs.Create(t.Context(), ask)
	missing("after it was deleted", err, "")
	_, err = w.Images.Plan(t.Context(), manager.Address{Image: photo.ID, Options: "l_" + string(logo.ID)})
	missing("on the fly, after it was deleted", err, "")
}

// Touching an overlay's bytes for a job spares them a round of the collector that comes after the image went.
func TestOverlaysOfJobsAreSpared(t *testing.T) {
	c := &clock{}
	w := begin(t, still, func(s *setting) { s.parts.Now = c.now })
	w.shelf.now = c.now
	photo := w.create(manager.CreateImage{Digest: digest(1)}).Image
	used := w.create(manager.CreateImage{Digest: digest(7)}).Image
	idle := w.create(manager.CreateImage{Digest: digest(8)}).Image
	w.shelf.put(c.now(), digest(1), digest(7), digest(8))
	c.forward(25 * time.Hour)
	if _, err := w.Jobs.Create(t.Context(), manager.CreateJob{Image: photo.ID, Work: manager.Work{Variants: []string{"a:l_" + string(used.ID)}}}); err != nil {
		t.Fatal(err)
	}
	for _, im := range []job.Image{used, idle} {
		if err := w.Images.Delete(t.Context(), im.ID); err != nil {
			t.Fatal(err)
		}
	}
	w.round(w.Collector)
	w.wantShelf("with both deleted", digest(1), digest(7))
	c.forward(25 * time.Hour)
	w.round(w.Collector)
	w.wantShelf("a day later", digest(1))
}
