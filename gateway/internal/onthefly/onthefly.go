// Package onthefly serves /i/{options}/{id}.{ext}: variants made while the caller waits. The image service says what the address
// means and under which key the result is known; a worker makes it; nothing is stored.
package onthefly

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"calotype/gateway/internal/flow"
	"calotype/gateway/internal/media"
	"calotype/gateway/internal/problem"
	"calotype/gateway/internal/results"
	"calotype/kit/fault"
	"calotype/kit/rpc"
	imagev1 "calotype/proto/image/v1"
)

// Prefix is where the route stands.
const Prefix = "/i/"

// Handler serves the route. Its fields are set before the first request.
type Handler struct {
	Images      imagev1.ImagesService
	Transformer imagev1.TransformerService
	Results     *results.Cache
	Keys        Keys
	Unsigned    Unsigned
	// Timeout is how long planning may take, and then making until the first byte; Patience how long a client may take no byte.
	Timeout, Patience time.Duration
}

// address is a path of the route, taken apart.
type address struct{ id, options, extension string }

// parse takes apart what follows the signature. Options may have several steps, parted by "/", or be missing.
func parse(path string) (address, error) {
	options, file := "", path
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		options, file = path[:i], path[i+1:]
	}
	id, extension, _ := strings.Cut(file, ".")
	if id == "" {
		return address{}, fault.New(fault.NotFound, problem.RouteNotFound, "the address names no image; it is %s{options}/{id}.{ext}", Prefix)
	}
	return address{id: id, options: options, extension: extension}, nil
}

// Request is a variant that is asked for.
type Request struct {
	ID, Options, Extension string
	Filename               string    // for who saves it; empty means by the image
	Attachment             bool      // browsers save it
	Until                  time.Time // when the address expires; zero is never
}

// ServeHTTP verifies and reads the address, and serves what it asks for.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path, end, err := h.admit(strings.TrimPrefix(r.URL.Path, Prefix), time.Now())
	var a address
	if err == nil {
		a, err = parse(path)
	}
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	h.Serve(w, r, Request{ID: a.id, Options: a.options, Extension: a.extension, Until: end})
}

// Serve plans, answers from the plan alone where the caller has the result already, and else has it made. Whether the caller may ask has
// been found out before.
func (h *Handler) Serve(w http.ResponseWriter, r *http.Request, q Request) {
	plan, err := h.plan(r, q)
	if err != nil {
		problem.Write(w, r, err)
		return
	}
	header := w.Header()
	header.Set("ETag", strconv.Quote(plan.GetKey()))
	header.Set("Cache-Control", keep(q.Until))
	vary(header, plan)
	media.Harmless(header)
	if holds(r.Header.Get("If-None-Match"), header.Get("ETag")) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	if known, ok := h.Results.Get(plan.GetKey()); ok {
		describe(w, r, q, plan, known.Head)
		if r.Method != http.MethodHead {
			flow.Whole(w, r, h.Patience, known.Data)
		}
		return
	}
	if err := h.make(w, r, q, plan); err != nil {
		header.Del("Vary")
		header.Del("Accept-CH")
		problem.Write(w, r, err)
	}
}

// keep says how long an answer may be kept: no longer than its address is valid.
func keep(end time.Time) string {
	if end.IsZero() {
		return "public, max-age=31536000, immutable"
	}
	left := min(int64(time.Until(end).Seconds()), 31536000)
	return "public, max-age=" + strconv.FormatInt(max(left, 0), 10) + ", must-revalidate"
}

func (h *Handler) plan(r *http.Request, q Request) (*imagev1.PlanResponse, error) {
	ctx, cancel := context.WithTimeout(r.Context(), h.Timeout)
	defer cancel()
	return h.Images.Plan(ctx, &imagev1.PlanRequest{ImageId: q.ID, Options: q.Options, Extension: q.Extension,
		Accept: strings.ToValidUTF8(strings.Join(r.Header.Values("Accept"), ","), ""), Hints: hints(r.Header)})
}

// make streams the result. The call is keyed by the original, so that the node that has it at hand gets the work.
func (h *Handler) make(w http.ResponseWriter, r *http.Request, q Request, plan *imagev1.PlanResponse) error {
	// The time is for the work: a deadline on the call would also cut off a slow client who takes byte after byte.
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	tooSlow := fault.New(fault.Deadline, "TRANSFORM_TOO_SLOW", "the variant was not made within %v", h.Timeout)
	timer := time.AfterFunc(h.Timeout, func() { cancel(tooSlow) })
	defer timer.Stop()

	digest := plan.GetImage().GetDigest()
	stream, err := h.Transformer.Transform(ctx, &imagev1.TransformRequest{Digest: digest, Variants: []*imagev1.Variant{plan.GetVariant()}}, rpc.WithKey(digest))
	if err != nil {
		return ended(ctx, err)
	}
	defer stream.Close()
	first, err := stream.Recv()
	if err != nil {
		return ended(ctx, err)
	}
	timer.Stop()
	result := first.GetResult()
	if result == nil {
		return fault.New(fault.Internal, "", "the worker began with bytes and not with their description")
	}
	describe(w, r, q, plan, result)
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return nil
	}
	return flow.Send(w, r, h.Patience, func() { w.WriteHeader(http.StatusOK) }, h.Results.Keeping(plan.GetKey(), result, func() ([]byte, error) {
		for {
			m, err := stream.Recv()
			if err != nil {
				return nil, err
			}
			if chunk := m.GetChunk(); len(chunk) > 0 {
				return chunk, nil
			}
		}
	}))
}

// describe says what the picture is that follows.
func describe(w http.ResponseWriter, r *http.Request, q Request, plan *imagev1.PlanResponse, result *imagev1.Result) {
	header := w.Header()
	header.Set("Content-Type", result.GetContentType())
	header.Set("Content-Length", strconv.FormatInt(result.GetSize(), 10))
	name := q.Filename
	if name == "" {
		name = plan.GetImage().GetId()
	}
	header.Set("Content-Disposition", media.Disposition(r, q.Attachment, name+"."+media.Extension(result.GetFormat())))
}

// ended gives the reason for which we ended the call, where that is all that is wrong: workers that were busy until then say more.
func ended(ctx context.Context, err error) error {
	if mine := fault.As(context.Cause(ctx)); mine != nil && fault.Is(err, fault.Canceled) {
		return mine
	}
	return err
}

// holds reports whether an If-None-Match names the ETag, compared weakly as RFC 9110 wants it.
func holds(condition, etag string) bool {
	if condition == "" {
		return false
	}
	if strings.TrimSpace(condition) == "*" {
		return true
	}
	for _, c := range strings.Split(condition, ",") {
		if strings.TrimPrefix(strings.TrimSpace(c), "W/") == etag {
			return true
		}
	}
	return false
}
