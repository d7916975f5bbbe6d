//go:build cluster

package cluster

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
)

// TestEventsGoOnElsewhere has a browser lose its connection before a job begins, and come back at every gateway: through Nginx, and at each
// by its own address in the cluster.
func TestEventsGoOnElsewhere(t *testing.T) {
	c := front(t)
	id := upload(t, c, "", nil, picture(t, "photo.jpg")).Image.Id
	body := fmt.Sprintf(`{"image_id": %q, "preset": "thumb", "options": {"not_before": %q}}`, id, time.Now().Add(4*time.Second).UTC().Format(time.RFC3339Nano))
	a, err := c.Send(within(t, patience), http.MethodPost, "/v1/jobs", http.Header{"Content-Type": {"application/json"}}, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	job := read(t, a, http.StatusCreated, &imagev1.Job{})
	path := "/v1/jobs/" + job.Id + "/events"
	first, err := c.Events(within(t, patience), path, "", func(e []caller.Event) bool { return len(e) == 1 })
	if err != nil || len(first) != 1 || first[0].Name != "scheduled" {
		t.Fatalf("the first events are %v, %v", first, err)
	}

	gateways, err := project().Of(t.Context(), "gateway")
	if err != nil {
		t.Fatal(err)
	}
	places := []*caller.Caller{c, c, c, c}
	for _, g := range gateways {
		for network, at := range g.Networks {
			if strings.HasSuffix(network, "_edge") && g.Well() {
				places = append(places, caller.New("http://"+at.IP+":8080"))
			}
		}
	}
	if len(places) < 4+2 {
		t.Fatalf("%d places of %d gateways", len(places), len(gateways))
	}
	var g errgroup.Group
	for _, at := range places {
		g.Go(func() error {
			rest, err := at.Events(within(t, patience), path, first[0].ID, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", at.Base, err)
			}
			var names []string
			for i, e := range rest {
				if want := fmt.Sprint(i + 2); e.ID != want {
					return fmt.Errorf("%s: event %s came in place of %s", at.Base, e.ID, want)
				}
				names = append(names, e.Name)
			}
			if len(names) == 0 || slices.Index(names, "queued") != 0 || names[len(names)-1] != "succeeded" {
				return fmt.Errorf("%s: %v", at.Base, names)
			}
			if more, err := at.Events(within(t, patience), path, rest[len(rest)-1].ID, nil); err != nil || len(more) > 0 {
				return fmt.Errorf("%s: after the end come %v, %w", at.Base, more, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}
