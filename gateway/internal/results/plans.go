package results

import (
	"context"
	"net/http"
	"slices"

	"go-micro.dev/v4/client"
	"google.golang.org/protobuf/proto"

	imagev1 "calotype/proto/image/v1"
)

// address is everything that a plan depends on, but for what managers know.
type address struct{ image, request string }

// asking is an address that managers are asked for, after so much was forgotten.
type asking struct {
	address
	after int
}

// planner asks managers for what is not known.
type planner struct {
	imagev1.ImagesService
	kept *Cache
}

// Images answers Plan by what is kept, and has those who ask for the same at once share one call.
func (c *Cache) Images(next imagev1.ImagesService) imagev1.ImagesService { return planner{next, c} }

var exact = proto.MarshalOptions{Deterministic: true}

// Plan implements imagev1.ImagesService. Nobody may write to what it gives.
func (p planner) Plan(ctx context.Context, in *imagev1.PlanRequest, opts ...client.CallOption) (*imagev1.PlanResponse, error) {
	request, err := exact.Marshal(in)
	if err != nil || p.kept.cfg.Plans == 0 || len(opts) > 0 {
		return p.ImagesService.Plan(ctx, in, opts...)
	}
	a := address{in.GetImageId(), string(request)}
	plan, ok := p.kept.plans.Get(a)
	p.kept.count("plans", ok)
	if ok {
		return plan, nil
	}
	after := p.kept.age()
	plan, _, err = p.kept.asked.Do(ctx, asking{a, after}, func(ctx context.Context) (*imagev1.PlanResponse, error) {
		plan, err := p.ImagesService.Plan(ctx, in)
		if err == nil {
			p.kept.keep(a, after, plan)
		}
		return plan, err
	})
	return plan, err
}

func (c *Cache) age() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.forgot
}

// keep keeps a plan, unless something was forgotten since it was asked for: it may be what was.
func (c *Cache) keep(a address, after int, plan *imagev1.PlanResponse) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.forgot == after {
		c.plans.Add(a, plan, int64(2*len(a.request)+3*proto.Size(plan)+256)) // about what it takes in memory
	}
}

// Forget has what shows an image planned anew: its own addresses, and all those with overlays, whose plans tell digests alone. Without
// an image it is everything.
func (c *Cache) Forget(image string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forgot++
	c.plans.RemoveIf(func(a address, plan *imagev1.PlanResponse) bool {
		return image == "" || a.image == image || slices.ContainsFunc(plan.GetVariant().GetOperations(), overlaid)
	})
}

func overlaid(op *imagev1.Operation) bool { return op.GetOverlay().GetDigest() != "" }

// Deleting forgets an image once a DELETE of it was answered, so that this gateway at least does not show it any more.
func (c *Cache) Deleting(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		next.ServeHTTP(w, r)
		if r.Method == http.MethodDelete {
			c.Forget(id)
		}
	})
}
