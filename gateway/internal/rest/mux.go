// Package rest transcodes JSON over HTTP to RPC by the generated handlers, with our errors in place of the runtime's. What
// streams bytes or events is not its business.
package rest

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
	"calotype/kit/rpc"
	contract "calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
	imagev1 "calotype/proto/image/v1"
	greeterrest "calotype/proto/rest/greeter/v1"
	imagerest "calotype/proto/rest/image/v1"
)

// Config says what the routes take.
type Config struct {
	// MaxBody is the greatest JSON body in bytes.
	MaxBody int64
	// Methods gives the methods that a path takes, or none where there is no such path.
	Methods func(path string) []string
	// Kind gives what a path is of, such as jobs.
	Kind func(path string) string
}

// New makes the handler of every transcoded route. It answers all other paths with a 404 problem.
func New(cfg Config, c *rpc.Client) (http.Handler, error) {
	h := &handler{cfg: cfg, muxes: map[string]*runtime.ServeMux{}}
	ctx, image := context.Background(), checked{c.Conn(contract.Image)}
	for of, register := range map[string]func(m *runtime.ServeMux) error{
		"greeter": func(m *runtime.ServeMux) error {
			return greeterrest.RegisterGreeterHandlerClient(ctx, m, greeterv1.NewGreeterClient(checked{c.Conn(contract.Greeter)}))
		},
		"images,presets": func(m *runtime.ServeMux) error {
			return imagerest.RegisterImagesHandlerClient(ctx, m, imagev1.NewImagesClient(image))
		},
		"batches": func(m *runtime.ServeMux) error {
			return imagerest.RegisterBatchesHandlerClient(ctx, m, batches{imagev1.NewBatchesClient(image), imagev1.NewBatchesService(contract.Image, c)})
		},
		"jobs": func(m *runtime.ServeMux) error {
			return imagerest.RegisterJobsHandlerClient(ctx, m, jobs{imagev1.NewJobsClient(image), imagev1.NewJobsService(contract.Image, c)})
		},
		"capabilities": func(m *runtime.ServeMux) error {
			return imagerest.RegisterTransformerHandlerClient(ctx, m, imagev1.NewTransformerClient(checked{c.Conn(contract.Worker)}))
		},
		"webhooks": func(m *runtime.ServeMux) error {
			return imagerest.RegisterWebhooksHandlerClient(ctx, m, imagev1.NewWebhooksClient(image))
		},
		"": func(*runtime.ServeMux) error { return nil },
	} {
		m := h.newMux()
		if err := register(m); err != nil {
			return nil, fmt.Errorf("registering the REST routes: %w", err)
		}
		for _, one := range strings.Split(of, ",") {
			h.muxes[one] = m
		}
	}
	return h, nil
}

func (h *handler) newMux() *runtime.ServeMux {
	return runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, newMarshaler()),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithWriteContentLength(),
		runtime.WithUnescapingMode(runtime.UnescapingModeAllExceptReserved),
		runtime.WithIncomingHeaderMatcher(nothing),
		runtime.WithOutgoingHeaderMatcher(nothing),
		runtime.WithOutgoingTrailerMatcher(nothing),
		runtime.WithForwardResponseOption(created),
		runtime.WithErrorHandler(failed),
		runtime.WithStreamErrorHandler(streamFailed),
		runtime.WithRoutingErrorHandler(h.notRouted),
	)
}

// nothing is the matcher that lets no header through: those that may pass are in the context already, see package edge.
func nothing(string) (string, bool) { return "", false }

// handler has a mux for each kind of thing that paths are of, as /v1/jobs/... are of jobs, and one for those of nothing known: a mux of
// the runtime's tries every route of a method until one fits.
type handler struct {
	cfg   Config
	muxes map[string]*runtime.ServeMux
}

func (h *handler) mux(path string) *runtime.ServeMux {
	if m := h.muxes[h.cfg.Kind(path)]; m != nil {
		return m
	}
	return h.muxes[""]
}

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// The runtime would take the verb of POST /v1/jobs/{id}:cancel for a part of the id, were the method GET.
	if allow := h.cfg.Methods(r.URL.Path); allow != nil && (r.Method == http.MethodOptions || !slices.Contains(allow, r.Method)) {
		NotAllowed(w, r, allow)
		return
	}
	b := &body{ReadCloser: http.MaxBytesReader(w, r.Body, h.cfg.MaxBody), key: r.Header.Get("Idempotency-Key")}
	a := &answer{ResponseWriter: w, request: r}
	inner := r.WithContext(context.WithValue(r.Context(), answerKey{}, a))
	a.body, inner.Body = b, b
	// The runtime makes metadata of some headers and addresses whatever its matchers say, and reads a timeout from one.
	inner.Header = http.Header{}
	inner.Host, inner.RemoteAddr = "", ""
	if inner.Method == http.MethodHead {
		inner.Method = http.MethodGet // the server drops the body
	}
	h.mux(inner.URL.Path).ServeHTTP(a, inner)
}

// created answers the creation of a job or a batch as HTTP has it.
func created(ctx context.Context, w http.ResponseWriter, m proto.Message) error {
	var location string
	switch method, _ := runtime.RPCMethod(ctx); method {
	case imagev1.Jobs_Create_FullMethodName:
		location = "/v1/jobs/" + m.(*imagev1.Job).GetId()
	case imagev1.Batches_Create_FullMethodName:
		location = "/v1/batches/" + m.(*imagev1.Batch).GetId()
	default:
		return nil
	}
	w.Header().Set("Location", location)
	w.WriteHeader(http.StatusCreated)
	return nil
}

func (h *handler) notRouted(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, code int) {
	a := r.Context().Value(answerKey{}).(*answer)
	switch code {
	case http.StatusMethodNotAllowed:
		NotAllowed(w, a.request, h.cfg.Methods(r.URL.Path))
	case http.StatusNotFound:
		NotFound(w, a.request)
	default:
		problem.Write(w, a.request, fault.New(fault.Invalid, "", "the path cannot be read"))
	}
}

// NotFound answers a path that no route has.
func NotFound(w http.ResponseWriter, r *http.Request) {
	problem.Write(w, r, fault.New(fault.NotFound, problem.RouteNotFound, "there is nothing at %s; /docs lists what there is", r.URL.Path))
}

// NotAllowed answers a method that a path does not take, and tells which it takes.
func NotAllowed(w http.ResponseWriter, r *http.Request, allow []string) {
	w.Header().Set("Allow", strings.Join(allow, ", "))
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	problem.Write(w, r, fault.New(fault.Invalid, problem.MethodNotAllowed, "%s takes %s, not %s", r.URL.Path, strings.Join(allow, ", "), r.Method))
}

func failed(ctx context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, err error) {
	a := r.Context().Value(answerKey{}).(*answer)
	if wrong := a.body.wrong; wrong != nil {
		err = wrong
	} else if wrong := badQuery(ctx); wrong != nil { // the runtime has only the parser's words for it
		err = wrong
	}
	problem.Write(w, a.request, classified(err))
}

// streamFailed writes a problem where the stream gave nothing yet, and keeps the runtime from adding to it. Otherwise the runtime
// ends the stream with an error line.
func streamFailed(ctx context.Context, err error) *status.Status {
	err = classified(err)
	a, ok := ctx.Value(answerKey{}).(*answer)
	if ok && !a.began {
		problem.Write(a.ResponseWriter, a.request, err)
		a.closed = true
	}
	return status.New(rpc.Status(err).Code(), problem.Of(err).Detail)
}

// classified makes faults of the statuses that the generated handlers make themselves.
func classified(err error) error {
	if fault.As(err) != nil {
		return err
	}
	if st, ok := status.FromError(err); ok && st.Code() != codes.OK {
		return rpc.Fault(st)
	}
	return err
}
