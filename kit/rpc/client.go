package rpc

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"go-micro.dev/v4/client"
	"go-micro.dev/v4/codec"
	"go-micro.dev/v4/registry"
	"go-micro.dev/v4/selector"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"calotype/kit/rpc/internal/cluster"
)

// Client is a go-micro client.Client over grpc.ClientConns. It is safe for concurrent use and meant to be shared: every service
// it calls has one set of connections.
type Client struct {
	cfg     ClientConfig
	dial    []grpc.DialOption
	every   []grpc.CallOption // of every call
	mark    string            // never leaves the client; see dialer
	allow   []string
	methods methods

	mu     sync.RWMutex
	opts   client.Options
	outer  client.Client // the wrappers around caller
	groups map[string]*group
	closed bool
	now    atomic.Pointer[view]
}

// view is what every call reads, copied on every change so that no call takes a lock for it.
type view struct {
	outer  client.Client
	call   client.CallOptions
	groups map[string]*group
}

// publish must be called with the lock held.
func (c *Client) publish() {
	v := &view{outer: c.outer, call: c.opts.CallOptions, groups: maps.Clone(c.groups)}
	// Appending to a shared slice would hand one call's wrappers to another.
	v.call.CallWrappers = slices.Clip(v.call.CallWrappers)
	c.now.Store(v)
}

// group is a service: its nodes and the budget for retries.
type group struct {
	*cluster.Cluster
	budget *budget
}

var _ client.Client = (*Client)(nil)

// NewClient makes a client. Options are go-micro's: Registry, Wrap, WrapCall, Retries, Retry, Backoff, RequestTimeout,
// StreamTimeout. Selector, pool, transport, codecs, cache and broker have no meaning here. Without a registry only calls with
// client.WithAddress find a node.
func NewClient(cfg ClientConfig, opts ...client.Option) *Client {
	cfg = cfg.withDefaults()
	mark := "\x1f" + rand.Text() + "\x1f"
	c := &Client{cfg: cfg, dial: cfg.dialOptions(), every: cfg.callOptions(), mark: mark, allow: slices.Clone(forwarded), groups: map[string]*group{}}
	for _, k := range cfg.Forward {
		c.allow = append(c.allow, strings.ToLower(k))
	}
	c.opts = client.Options{
		Context:     context.Background(),
		ContentType: "application/grpc+proto",
		Codecs:      map[string]codec.NewCodec{},
		Selector:    noSelector{},
		CallOptions: client.CallOptions{Retries: cfg.Attempts - 1, RequestTimeout: cfg.Timeout},
	}
	_ = c.Init(opts...)
	return c
}

// Init adds options. Wrappers that are added wrap what is there already.
func (c *Client) Init(opts ...client.Option) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range opts {
		o(&c.opts)
	}
	var outer client.Client = caller{c}
	for i := len(c.opts.Wrappers) - 1; i >= 0; i-- {
		outer = c.opts.Wrappers[i](outer)
	}
	c.outer = outer
	c.publish()
	return nil
}

// Options gives a copy of the options.
func (c *Client) Options() client.Options {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.opts
}

// NewRequest makes a request to a method, named /package.Service/Method or Service.Method.
func (c *Client) NewRequest(service, endpoint string, body any, opts ...client.RequestOption) client.Request {
	r := c.newRequest(service, endpoint, body)
	r.stream = r.stream || streaming(opts)
	return &r
}

func (c *Client) newRequest(service, endpoint string, body any) clientRequest {
	m, err := c.methods.find(endpoint, body)
	if err != nil {
		m = &clientMethod{full: endpoint, endpoint: endpoint}
	}
	return clientRequest{service: service, method: m, body: body, stream: m.stream != nil, err: err}
}

func streaming(opts []client.RequestOption) bool {
	if len(opts) == 0 {
		return false
	}
	var o client.RequestOptions
	for _, f := range opts {
		f(&o)
	}
	return o.Stream
}

// Call makes a unary call. Its error is a *fault.Error at heart and a gRPC status to status.FromError.
func (c *Client) Call(ctx context.Context, req client.Request, rsp any, opts ...client.CallOption) error {
	return c.wrapped().Call(withheld(ctx, c.allow), req, rsp, opts...)
}

// Stream opens a stream. Send may return io.EOF, as in grpc-go: the server has ended the stream, and Recv tells why. A stream
// holds its resources until Recv returned an error, or Close was called, or ctx ended.
func (c *Client) Stream(ctx context.Context, req client.Request, opts ...client.CallOption) (client.Stream, error) {
	return c.wrapped().Stream(withheld(ctx, c.allow), req, opts...)
}

func (c *Client) wrapped() client.Client { return c.now.Load().outer }

// NewMessage makes a message that Publish will refuse.
func (c *Client) NewMessage(topic string, payload any, _ ...client.MessageOption) client.Message {
	return message{topic, payload}
}

// Publish fails: there is no broker here.
func (c *Client) Publish(context.Context, client.Message, ...client.PublishOption) error {
	return errNoBroker
}

// String names the implementation.
func (c *Client) String() string { return "grpc" }

// Close drops all connections; calls that run fail.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	groups := c.groups
	c.groups = map[string]*group{}
	c.publish()
	c.mu.Unlock()
	var errs []error
	for _, g := range groups {
		errs = append(errs, g.Close())
	}
	return errors.Join(errs...)
}

// group gives the nodes of a service, or of fixed addresses, and begins to follow it on first use.
func (c *Client) group(service string, addresses []string) (*group, error) {
	key := service
	if len(addresses) > 0 {
		key = "\x00" + strings.Join(addresses, ",")
	}
	if g := c.now.Load().groups[key]; g != nil {
		return g, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if g := c.groups[key]; g != nil {
		return g, nil
	}
	if c.closed {
		return nil, cluster.ErrClosed
	}
	var reg registry.Registry
	if len(addresses) == 0 {
		if reg = c.opts.Registry; reg == nil {
			return nil, status.Errorf(codes.Unavailable, "%s: the client has no registry", service)
		}
	}
	b := c.cfg.Balance
	g := &group{budget: newBudget(0.2, 3), Cluster: cluster.New(cluster.Config{
		Service: service, Registry: reg, Addresses: addresses, Dialer: dialer(c.mark), Dial: c.dialing(), DialNode: kept, Log: c.cfg.Log,
		FirstList: b.FirstList, Connect: b.Connect, Relist: b.Relist, EjectMin: b.EjectMin, EjectMax: b.EjectMax,
		Silence: b.Silence, Patience: b.Patience, Observe: func(e cluster.Event) { c.observe(service, Event(e)) },
	})}
	c.groups[key] = g
	c.publish()
	return g, nil
}

// clientRequest is a request as wrappers see it: Method is gRPC's full name and Endpoint go-micro's short one.
type clientRequest struct {
	service string
	method  *clientMethod
	body    any
	stream  bool
	err     error
	extra   *extra // from a stub on Conn; nil: what the call's options say
}

func (r *clientRequest) Service() string     { return r.service }
func (r *clientRequest) Method() string      { return r.method.full }
func (r *clientRequest) Endpoint() string    { return r.method.endpoint }
func (r *clientRequest) ContentType() string { return "application/grpc+proto" }
func (r *clientRequest) Body() any           { return r.body }
func (r *clientRequest) Codec() codec.Writer { return nil }
func (r *clientRequest) Stream() bool        { return r.stream }

type message struct {
	topic   string
	payload any
}

func (m message) Topic() string       { return m.topic }
func (m message) Payload() any        { return m.payload }
func (m message) ContentType() string { return "" }

// noSelector stands where go-micro's options configure a selector: its default one is shared by the whole process.
type noSelector struct{}

func (noSelector) Init(...selector.Option) error      { return nil }
func (noSelector) Options() selector.Options          { return selector.Options{} }
func (noSelector) Mark(string, *registry.Node, error) {}
func (noSelector) Reset(string)                       {}
func (noSelector) Close() error                       { return nil }
func (noSelector) String() string                     { return "grpc" }
func (noSelector) Select(string, ...selector.SelectOption) (selector.Next, error) {
	return nil, selector.ErrNoneAvailable
}
