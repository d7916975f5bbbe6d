package app

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"calotype/gateway/internal/compat"
	"calotype/gateway/internal/download"
	"calotype/gateway/internal/edge"
	"calotype/gateway/internal/events"
	"calotype/gateway/internal/nodes"
	"calotype/gateway/internal/onthefly"
	"calotype/gateway/internal/openapi"
	"calotype/gateway/internal/rest"
	"calotype/gateway/internal/results"
	"calotype/gateway/internal/upload"
	"calotype/gateway/internal/wire"
	"calotype/gateway/web"
	"calotype/kit/boot"
	"calotype/kit/live"
	"calotype/kit/metrics"
	"calotype/kit/rpc"
	"calotype/proto"
	imagev1 "calotype/proto/image/v1"
	storagev1 "calotype/proto/storage/v1"
)

// site is every route the gateway has.
type site struct {
	doc     *openapi.Document
	nodes   *nodes.Handler
	results *results.Cache
	grpc    *grpcSite
	old     []*compat.Handler // other servers' addresses
	handler http.Handler
}

// newSite builds the routes over a process's RPC client. Leaving ends when the gateway drains, and late when it can wait no longer.
func newSite(leaving, late context.Context, cfg Config, host *boot.Host) (*site, error) {
	doc, err := openapi.New(host.Version)
	if err != nil {
		return nil, err
	}
	pages, err := web.Pages()
	if err != nil {
		return nil, err
	}
	client := host.Client()
	images, jobs := imagev1.NewImagesService(proto.Image, client), imagev1.NewJobsService(proto.Image, client)
	storage, transformer := storagev1.NewStorageService(proto.Storage, client), imagev1.NewTransformerService(proto.Worker, client)
	t := cfg.Timeouts

	transcoded, up := &limited{}, &limited{}
	limit := func(c Config) (func(), error) {
		json, err := rest.New(rest.Config{MaxBody: int64(c.Limits.JSON), Methods: doc.Methods, Kind: openapi.Kind}, client)
		files := upload.New(upload.Config{Limit: int64(c.Limits.Upload), Timeout: t.Upload, Patience: t.Stall, Register: t.Request}, storage, images)
		return func() { transcoded.set(json); up.set(files) }, err
	}
	begin, err := limit(cfg)
	if err != nil {
		return nil, err
	}
	begin()
	live.Take(host.Live, cfg, limit)
	down := &download.Handler{Images: images, Storage: storage, Lookup: t.Request, Patience: t.Stall}
	kept := results.New(cfg.Results, host.Metrics)
	fly := &onthefly.Handler{Images: kept.Images(images), Transformer: transformer, Results: kept, Keys: cfg.Signing.keys(), Unsigned: onthefly.Unsigned(cfg.Signing.Unsigned), Timeout: t.Transform, Patience: t.Stall}
	watch := &events.Handler{Jobs: jobs, Batches: imagev1.NewBatchesService(proto.Image, client), Heartbeat: t.Heartbeat, Patience: t.Stall, Leaving: leaving}
	list := nodes.New(nodes.Config{Registry: host.Registry, Timeout: t.Request, Dial: host.Dial,
		Services: []string{proto.Gateway, proto.Greeter, proto.Image, proto.Worker, proto.Storage}})

	bounded := edge.Deadline(t.Request, transcoded)
	mux := http.NewServeMux()
	mux.Handle("/v1/", bounded)
	mux.Handle("/v1/greeter/greetings", transcoded) // lasts as long as it was asked to
	mux.Handle("/v1/images", byMethod{http.MethodPost: up, http.MethodGet: bounded})
	mux.Handle("/v1/images/{id}", kept.Deleting(bounded))
	mux.Handle("/v1/images/{id}/original", get(http.HandlerFunc(down.Original)))
	mux.Handle("/v1/images/{id}/variants/{name}", get(http.HandlerFunc(down.Variant)))
	mux.Handle("/v1/jobs/{id}/events", get(http.HandlerFunc(watch.Job)))
	mux.Handle("/v1/batches/{id}/events", get(http.HandlerFunc(watch.Batch)))
	mux.Handle("/v1/nodes", get(list))
	mux.Handle(onthefly.Prefix, get(fly))
	mux.Handle("/healthz", get(http.HandlerFunc(host.Health.Live)))
	mux.Handle("/readyz", get(http.HandlerFunc(host.Health.ServeReady)))
	mux.Handle("/metrics", get(metrics.Handler(host.Metrics)))
	mux.Handle("/openapi.json", get(document(doc)))
	for path, page := range pages {
		if path == "/" {
			path = "/{$}"
		}
		mux.Handle(path, get(page))
	}
	mux.HandleFunc("/", rest.NotFound)

	old, err := compatible(cfg, images, fly, http.HandlerFunc(down.Original))
	if err != nil {
		return nil, err
	}
	calls, err := newGRPC(late, cfg, host, func() { kept.Forget("") })
	if err != nil {
		return nil, err
	}
	proxies, err := edge.ParseProxies(cfg.HTTP.TrustedProxies)
	if err != nil {
		return nil, err
	}
	s := &site{doc: doc, nodes: list, results: kept, grpc: calls, old: old}
	s.handler, err = edge.Wrap(edge.Config{Origins: cfg.HTTP.Origins, ForwardHeaders: cfg.HTTP.ForwardHeaders, MaxURL: int(cfg.Limits.URL),
		Proxies: proxies, Route: s.route, Quiet: []string{"/healthz", "/readyz", "/metrics", "/v1/nodes"}}, host.Log, calls.beside(before(old, mux)))
	return s, err
}

// Transcoded is the routes that are RPCs in JSON and nothing around them, for who measures what JSON over HTTP costs.
func Transcoded(client *rpc.Client) (http.Handler, error) {
	doc, err := openapi.New("")
	if err != nil {
		return nil, err
	}
	return rest.New(rest.Config{MaxBody: int64(DefaultConfig().Limits.JSON), Methods: doc.Methods, Kind: openapi.Kind}, client)
}

// route names a request's route for traces, metrics and logs.
func (s *site) route(r *http.Request) string {
	if wire.Is(r) {
		return s.grpc.catalog.Route(r.URL.Path)
	}
	if strings.HasPrefix(r.URL.Path, onthefly.Prefix) {
		return onthefly.Prefix + "{options}/{file}"
	}
	for _, h := range s.old {
		if h.Mine(r) {
			return h.Prefix + "{path}"
		}
	}
	switch r.URL.Path {
	case "/", "/docs":
		return r.URL.Path
	}
	if strings.HasPrefix(r.URL.Path, "/static/") {
		return "/static/"
	}
	return s.doc.Route(r.URL.Path)
}

// byMethod is a route's handlers. HEAD is GET's.
type byMethod map[string]http.Handler

func get(h http.Handler) byMethod { return byMethod{http.MethodGet: h} }

func (m byMethod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	method := r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	if h, ok := m[method]; ok {
		h.ServeHTTP(w, r)
		return
	}
	allow := []string{http.MethodOptions}
	for known := range m {
		if allow = append(allow, known); known == http.MethodGet {
			allow = append(allow, http.MethodHead)
		}
	}
	slices.Sort(allow)
	rest.NotAllowed(w, r, allow)
}

// document serves the description of the interface.
func document(doc *openapi.Document) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(doc.JSON) // the caller has left
	})
}
