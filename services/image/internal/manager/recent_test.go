package manager_test

import (
	"testing"

	"calotype/kit/fault"
	"calotype/services/image/internal/manager"
)

// An image that was asked for a moment ago and is deleted takes no further job.
func TestNoJobOnAnImageThatWentAMomentAgo(t *testing.T) {
	w := begin(t, still)
	a := w.create(manager.CreateImage{})
	req := manager.CreateJob{Image: a.Image.ID, Work: manager.Work{Preset: "thumb"}}
	for range 2 {
		if _, err := w.Jobs.Create(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Images.Delete(t.Context(), a.Image.ID); err != nil {
		t.Fatal(err)
	}
	_, err := w.Jobs.Create(t.Context(), req)
	wantFault(t, "a job on a deleted image", err, fault.NotFound, "IMAGE_NOT_FOUND")
}
