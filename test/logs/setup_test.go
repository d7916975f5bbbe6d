package logs

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// elastic stands for Elasticsearch and for Kibana, and remembers what it was given.
type elastic struct {
	mu      sync.Mutex
	given   map[string]string // by method and path
	starts  int               // how many times it answers yet that it is not ready
	refuses string            // a path
	imports string            // what Kibana answers
}

func (e *elastic) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.starts > 0 {
		e.starts--
		http.Error(w, "starting", http.StatusServiceUnavailable)
		return
	}
	body, err := io.ReadAll(r.Body)
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") && r.Header.Get("kbn-xsrf") != "" {
		r.Body = io.NopCloser(strings.NewReader(string(body)))
		var f io.ReadCloser
		if f, _, err = r.FormFile("file"); err == nil {
			body, err = io.ReadAll(f)
		}
	}
	if err != nil || r.URL.Path == e.refuses {
		http.Error(w, "it is no good", http.StatusBadRequest)
		return
	}
	e.given[r.Method+" "+r.URL.String()] = string(body)
	_, _ = io.WriteString(w, e.imports)
}

// setUp runs the script of a folder.
func (e *elastic) setUp(t *testing.T, folder string, env ...string) (string, error) {
	t.Helper()
	e.given = map[string]string{}
	server := httptest.NewServer(e)
	defer server.Close()
	cmd := exec.CommandContext(t.Context(), "sh", filepath.Join(folder, "setup.sh"))
	cmd.Env = append(os.Environ(), append([]string{"ELASTICSEARCH=" + server.URL, "KIBANA=" + server.URL, "NO_PROXY=127.0.0.1"}, env...)...)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestSetup(t *testing.T) {
	const folder = "../../deploy/elk"
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	e := &elastic{starts: 1, imports: `{"successCount":7,"success":true}`}
	if out, err := e.setUp(t, folder, "LOGS_RETENTION=30d"); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if have := e.given["PUT /_index_template/calotype-logs"]; have != shipped[Template] {
		t.Errorf("the template is %s", have)
	}
	if have := e.given["PUT /_ilm/policy/calotype-logs"]; strings.TrimSpace(have) != strings.TrimSpace(strings.Replace(shipped[Policy], "14d", "30d", 1)) || !json.Valid([]byte(have)) {
		t.Errorf("the policy is %s", have)
	}
	if have := e.given["POST /api/saved_objects/_import?overwrite=true"]; have != shipped[Objects] {
		t.Errorf("Kibana's objects are %s", have)
	}
	for name, c := range map[string]struct {
		elastic *elastic
		env     string
		want    string
	}{
		"a template that is refused":  {&elastic{refuses: "/_index_template/calotype-logs", imports: "{}"}, "WITHIN=30", "the template: it is no good"},
		"objects that are not taken":  {&elastic{imports: `{"success":false}`}, "WITHIN=30", `Kibana's objects: {"success":false}`},
		"one that never answers well": {&elastic{starts: 1000}, "WITHIN=0", "the policy, the last answer: starting"},
		"no time":                     {&elastic{}, "LOGS_RETENTION=14d&", "LOGS_RETENTION is no time"},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := c.elastic.setUp(t, folder, c.env); err == nil || !strings.Contains(out, c.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}
