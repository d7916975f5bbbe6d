package logs

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	storagev1 "calotype/proto/storage/v1"
)

func write(name, text string) error { return os.WriteFile(name, []byte(text), 0o600) }

const (
	request = "the-story-of.1"
	failing = "the-failure-of.1"
	indexed = "logs"
)

// TestEveryLineArrives has a whole cluster work while a real Filebeat, configured as it is shipped, brings what it writes into a store. Store
// and shipper are killed with -9, files turn over, and a container is replaced meanwhile: no line is lost, and none is there twice. Then an
// upload's whole story is found by its request id, and everything that is shipped for Kibana is asked.
func TestEveryLineArrives(t *testing.T) {
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	to := newStore(t)
	to.begin(t, shipped)
	c := start(t)
	shipper := c.ship(shipped[Shipper], to)
	broker := c.engine.container("calotype-rabbitmq-1-1", "rabbitmq-1", project)
	broker.write("2026-01-01 [notice] <0.1.0> text of a program that is none of ours")
	broker.write(strings.Repeat("a line that Docker cuts ", 2000) + ".")
	c.engine.container("other-web-1", "web", "other").write("of a project that is none of ours")
	t.Logf("cluster, store and shipper are there after %v", time.Since(began).Round(time.Second))

	trace, image, job := c.upload(request)
	c.fail(image, failing)
	c.greet()
	c.talk()
	arrived(t, to, "the first lines", c.engine)

	to.way.Cut()
	eventually(t, "the store has what it said that it took", func(ctx context.Context) error { // it says so first, and what is in between dies with it
		_, brought, err := shipper.Told(ctx)
		if err != nil {
			return err
		}
		_, have, err := to.find(ctx, everything(), 1)
		if err == nil && have < brought {
			err = fmt.Errorf("%d of %d", have, brought)
		}
		return err
	})
	to.Kill()
	c.talk()
	c.replace("image-worker") // while nobody takes what it said last
	c.talk()
	to.Start()
	to.way.Heal()
	arrived(t, to, "what was written while the store was away", c.engine)

	shipper.Kill()
	turned := c.talk()
	shipper.Start()
	c.talk()
	c.stop()
	arrived(t, to, "what was written while the shipper was away", c.engine)

	found, _, err := to.find(t.Context(), everything(), 100_000)
	if err != nil {
		t.Fatal(err)
	}
	written := c.engine.lines()
	lost, twice, strange := Compare(written, found)
	t.Logf("lines written %d, found %d, lost lines %d, twice %d; %d files turned over; after %v", len(written), len(found), len(lost), len(twice), turned, time.Since(began).Round(time.Second))
	for what, lines := range map[string][]string{"lost": lost, "twice": twice, "strange": strange} {
		for _, l := range lines[:min(3, len(lines))] {
			t.Errorf("%s: %s", what, l)
		}
	}

	story, _, err := to.find(t.Context(), about("http.request.id", request), 1000)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Story(story, Upload, request, trace, job) {
		t.Error(p)
	}
	for _, l := range story {
		t.Logf("%-24s %-22s %s %s", l.Text("@timestamp"), l.Text("service.name"), l.Text("message"), l.Text("calotype.job.id"))
	}
	for _, p := range shipped.Problems(found) {
		t.Error(p)
	}
	if !t.Failed() {
		mistakes(t, shipped, written, found)
		storyMistakes(t, story, trace, job)
	}
}

// arrived waits until the store has as many lines as were written.
func arrived(t *testing.T, to *store, what string, from *engine) {
	t.Helper()
	eventually(t, what+" are in the store", func(ctx context.Context) error {
		_, have, err := to.find(ctx, everything(), 1)
		if want := len(from.lines()); err == nil && have < want {
			err = fmt.Errorf("%d of %d", have, want)
		}
		return err
	})
}

// greet makes a call by gRPC, of which all that matters is that it is answered.
func (c *cluster) greet() {
	c.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+c.grpc, grpc.WithTransportCredentials(insecure.NewCredentials()))
	c.must(err)
	defer conn.Close()
	eventually(c.t, "a call that ends", func(ctx context.Context) error {
		_, err := storagev1.NewStorageClient(conn).Stat(ctx, &storagev1.StatRequest{})
		if status.Code(err) == codes.Unavailable {
			return err
		}
		return nil
	})
}

// talk makes requests until some files have turned over, of which it tells.
func (c *cluster) talk() (turned int) {
	c.t.Helper()
	before := c.engine.turned()
	eventually(c.t, "files turn over", func(ctx context.Context) error {
		for n := range 20 {
			if _, _, err := c.ask(ctx, http.MethodGet, fmt.Sprintf("%s/v1/images?page_size=%d", c.base, n+1), nil); err != nil {
				return err
			}
		}
		if turned = c.engine.turned() - before; turned < 2 {
			return fmt.Errorf("%d have", turned)
		}
		return nil
	})
	return turned
}

// replace ends a service's container, and starts another.
func (c *cluster) replace(name string) {
	c.t.Helper()
	c.nodes[name].leave()
	c.run(name, 2)
}

// begin gives the store an index with the template's fields, in its own words.
func (s *store) begin(t *testing.T, shipped Shipped) {
	t.Helper()
	template, err := shipped.template()
	if err != nil {
		t.Fatal(err)
	}
	words := map[string]string{"keyword": "keyword", "match_only_text": "text", "long": "numeric", "date": "date"}
	properties := map[string]any{}
	for field, is := range template.types() {
		properties[field] = map[string]any{"type": words[is]}
	}
	if err := s.ask(t.Context(), http.MethodPut, "/"+indexed, map[string]any{"mappings": map[string]any{"properties": properties}}, nil); err != nil {
		t.Fatal(err)
	}
}

// without is the shipped configuration without a line of it.
func without(t *testing.T, text, beginning string) string {
	t.Helper()
	before, rest, found := strings.Cut(text, "\n"+beginning)
	if !found {
		t.Fatalf("there is no %s", beginning)
	}
	_, after, _ := strings.Cut(rest, "\n")
	return before + "\n" + after
}

// few is an engine with some lines, and a store.
func few(t *testing.T) (*cluster, *store, Shipped) {
	t.Helper()
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	to := newStore(t)
	to.begin(t, shipped)
	c := &cluster{t: t, engine: &engine{t: t, folder: t.TempDir()}}
	box := c.engine.container("calotype-gateway-1", "gateway", project)
	for range 3 { // the same words at the same time are three lines all the same
		box.write(`{"@timestamp":"2026-01-01T00:00:00.5Z","message":"request","http.request.id":"` + request + `"}`)
	}
	return c, to, shipped
}

// TestShipperThatTakesNothingApart sees it found out.
func TestShipperThatTakesNothingApart(t *testing.T) {
	c, to, shipped := few(t)
	c.ship(without(t, shipped[Shipper], "    json.keys_under_root:"), to)
	arrived(t, to, "the lines", c.engine)
	found, _, err := to.find(t.Context(), everything(), 10)
	if err != nil {
		t.Fatal(err)
	}
	if lost, _, strange := Compare(c.engine.lines(), found); len(lost) != 3 || len(strange) != 3 {
		t.Errorf("all is as it was: %v", found)
	}
	if story, _, err := to.find(t.Context(), about("http.request.id", request), 10); err != nil || len(story) > 0 {
		t.Errorf("it is found by its id: %v %v", story, err)
	}
}

// TestLinesThatAreSentAgain has a shipper that remembers nothing begin anew: its lines are stored once. Without their ids they are there twice.
func TestLinesThatAreSentAgain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(string) string
		want   int // lines that are there twice
	}{
		"as shipped":  {func(text string) string { return text }, 0},
		"without ids": {func(text string) string { return without(t, text, "      - fingerprint:") }, 3},
	} {
		t.Run(name, func(t *testing.T) {
			few, to, shipped := few(t)
			first := few.ship(c.change(shipped[Shipper]), to)
			arrived(t, to, "the lines", few.engine)
			first.Kill()
			second := few.ship(c.change(shipped[Shipper]), to)
			eventually(t, "all are sent again", func(ctx context.Context) error {
				_, brought, err := second.Told(ctx)
				if err == nil && brought < 3 {
					err = fmt.Errorf("%d of 3", brought)
				}
				return err
			})
			few.engine.container("calotype-gateway-2", "gateway", project).write("the last line") // when this is there, all before it is
			eventually(t, "the last line is there", func(ctx context.Context) error {
				last, _, err := to.find(ctx, about("container.name", "calotype-gateway-2"), 10)
				if err == nil && len(last) != 1 {
					err = fmt.Errorf("%v", last)
				}
				return err
			})
			found, _, err := to.find(t.Context(), everything(), 100)
			if err != nil {
				t.Fatal(err)
			}
			lost, twice, strange := Compare(few.engine.lines(), found)
			if len(lost) != 0 || len(strange) != 0 || len(twice) != c.want {
				t.Errorf("%d lost, %d twice, %d strange: %v", len(lost), len(twice), len(strange), found)
			}
		})
	}
}
