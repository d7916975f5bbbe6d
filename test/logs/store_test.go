package logs

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"calotype/test/servers"
)

// store is a ZincSearch, which speaks as Elasticsearch does.
type store struct {
	*servers.ZincSearch
	way    *servers.Relay // of the shipper to it
	client http.Client
}

// ask sends JSON, and reads JSON, below /es.
func (s *store) ask(ctx context.Context, method, path string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	req.SetBasicAuth(s.User, s.Password)
	req.Header.Set("Content-Type", "application/json")
	rsp, err := s.client.Do(req)
	if err != nil {
		return err
	}
	defer rsp.Body.Close()
	text, err = io.ReadAll(rsp.Body)
	if err == nil && rsp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s: %s: %s", method, path, rsp.Status, text)
	}
	if err != nil || into == nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// find gives the lines that a query finds, and how many there are.
func (s *store) find(ctx context.Context, query any, most int) ([]Line, int, error) {
	var answer struct {
		Hits struct {
			Total struct{ Value int }
			Hits  []struct {
				Source map[string]any `json:"_source"`
			}
		}
	}
	err := s.ask(ctx, http.MethodPost, "/"+indexed+"/_search", map[string]any{"query": query, "size": most, "track_total_hits": true}, &answer)
	var found []Line
	for _, h := range answer.Hits.Hits {
		found = append(found, Flatten(h.Source))
	}
	return found, answer.Hits.Total.Value, err
}

func everything() any { return map[string]any{"match_all": map[string]any{}} }

func about(field, value string) any {
	return map[string]any{"term": map[string]any{field: value}}
}

// ship runs a Filebeat with the shipped configuration, to a store in the place of Logstash.
func (c *cluster) ship(shipper string, to *store) *servers.Filebeat {
	c.t.Helper()
	config := filepath.Join(c.t.TempDir(), "filebeat.yml")
	c.must(write(config, shipper))
	return servers.NewFilebeat(c.t, []string{"CONTAINERS=" + c.engine.folder, "DATA=" + c.t.TempDir(), "PROJECT=" + project},
		"-c", config, "-E", "output.logstash.enabled=false", "-E", "output.elasticsearch.hosts=http://"+to.way.Addr()+"/es", "-E", "output.elasticsearch.index="+indexed,
		"-E", "output.elasticsearch.username="+to.User, "-E", "output.elasticsearch.password="+to.Password, "-E", "output.elasticsearch.compression_level=0",
		"-E", "output.elasticsearch.backoff.init=100ms", "-E", "output.elasticsearch.backoff.max=1s",
		"-E", "setup.template.enabled=false", "-E", "setup.ilm.enabled=false")
}

func newStore(t *testing.T) *store {
	t.Helper()
	z := servers.NewZincSearch(t)
	return &store{ZincSearch: z, way: servers.NewRelay(t, strings.TrimSuffix(strings.TrimPrefix(z.URL, "http://"), "/es"))}
}
