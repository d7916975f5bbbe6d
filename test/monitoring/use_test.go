package monitoring

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"go-micro.dev/v4/registry"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	kitconfig "calotype/kit/config"
	kitregistry "calotype/kit/registry"
	"calotype/proto"
	greeterv1 "calotype/proto/greeter/v1"
)

// use has every part do something: a photograph becomes pictures by a job and on the fly, calls come in by gRPC, a node dies, and a
// manager has more to do than it may.
func (s *suite) use() {
	s.t.Helper()
	photo, err := os.ReadFile("../pictures/photo.jpg")
	s.must(err)
	var made struct{ Image, Job struct{ ID string } }
	s.eventually("an upload", func(ctx context.Context) error {
		text, err := s.ask(ctx, http.MethodPost, s.base+"/v1/images?preset=thumb", photo)
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &made)
	})
	s.eventually("its job", func(ctx context.Context) error {
		text, err := s.ask(ctx, http.MethodGet, s.base+"/v1/jobs/"+made.Job.ID, nil)
		if err == nil && !bytes.Contains(text, []byte(`"SUCCEEDED"`)) {
			err = fmt.Errorf("it is %s", text)
		}
		return err
	})
	s.eventually("a picture on the fly", func(ctx context.Context) error {
		_, err := s.ask(ctx, http.MethodGet, s.base+"/i/w_100/"+made.Image.ID+".jpg", nil)
		return err
	})
	s.greetAnIllNode()
	s.overload(made.Image.ID)
}

// greetAnIllNode calls greeters, by gRPC through the gateway and by REST, one of which refuses every call: such calls are made again.
func (s *suite) greetAnIllNode() {
	s.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	s.must(err)
	ill := grpc.NewServer(grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error { return status.Error(codes.Unavailable, "ill") }))
	s.t.Cleanup(ill.Stop)
	go func() { _ = ill.Serve(l) }() // until Stop
	cfg := kitregistry.DefaultConfig()
	cfg.Kind, cfg.Addresses, cfg.Token = kitregistry.Consul, s.consul.Addresses(), kitconfig.Secret(s.consul.Tokens["greeter"])
	known, err := kitregistry.New(cfg)
	s.must(err)
	node := &registry.Service{Name: proto.Greeter, Version: "0", Nodes: []*registry.Node{{
		Id: proto.Greeter + "-ill", Address: l.Addr().String(), Metadata: map[string]string{"protocol": "grpc", "grpc": "greeter.v1.Greeter"},
	}}}
	s.must(known.Register(node, registry.RegisterTTL(patience)))
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(s.base, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	s.must(err)
	defer conn.Close()
	s.eventually("a call that met an ill node", func(ctx context.Context) error {
		if _, err := greeterv1.NewGreeterClient(conn).Hello(ctx, &greeterv1.HelloRequest{Name: "you"}); err != nil {
			return err
		}
		if _, err := s.ask(ctx, http.MethodGet, s.base+"/v1/greeter/hello?name=you", nil); err != nil {
			return err
		}
		return s.told("calotype_rpc_client_events_total")
	})
	s.must(known.Deregister(node))
}

// overload opens two streams of a manager that may have one: those of a job that waits for its time have no end.
func (s *suite) overload(image string) {
	s.t.Helper()
	var job struct{ ID string }
	order := fmt.Sprintf(`{"image_id": %q, "preset": "thumb", "options": {"not_before": %q}}`, image, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
	s.eventually("a job for later", func(ctx context.Context) error {
		text, err := s.ask(ctx, http.MethodPost, s.base+"/v1/jobs", []byte(order))
		if err != nil {
			return err
		}
		return json.Unmarshal(text, &job)
	})
	ctx, leave := context.WithCancel(s.t.Context())
	defer leave()
	for range 2 {
		go func() { _, _ = s.ask(ctx, http.MethodGet, s.base+"/v1/jobs/"+job.ID+"/events", nil) }() // ends with ctx
	}
	s.eventually("a stream is turned away", func(context.Context) error { return s.told("calotype_rpc_server_shed_total") })
}

// told fails as long as no process of the suite tells a metric.
func (s *suite) told(metric string) error {
	for _, h := range s.hosts {
		families, err := h.Metrics.Gather()
		if err != nil {
			return err
		}
		for _, f := range families {
			if f.GetName() == metric {
				return nil
			}
		}
	}
	return fmt.Errorf("nobody tells %s", metric)
}
