package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	kitconfig "calotype/kit/config"
	kitregistry "calotype/kit/registry"
	"calotype/test/servers"
)

// group is some targets of Prometheus' file_sd_configs.
type group struct {
	Targets []string          `json:"targets"`
	Labels  map[string]string `json:"labels"`
}

// discovery is what the shipped configuration says of where Consul is. Unknown keys are mistakes.
type discovery struct {
	Server        string
	Authorization struct {
		CredentialsFile string `yaml:"credentials_file"`
	}
	RefreshInterval string `yaml:"refresh_interval"`
}

// configuration is the shipped one with its addresses changed. Debian's Prometheus is built without Consul's discovery: in its place
// stands a file with what that discovery would find and how it names it, so that all the rest is as it is shipped.
func configuration(text, targets, self, edge, files string) (string, []discovery, error) {
	var c map[string]any
	if err := yaml.Unmarshal([]byte(text), &c); err != nil {
		return "", nil, err
	}
	var consuls []discovery
	global, _ := c["global"].(map[string]any)
	global["scrape_interval"], global["scrape_timeout"], global["evaluation_interval"] = "1s", "1s", "1s"
	jobs, _ := c["scrape_configs"].([]any)
	for _, j := range jobs {
		job, _ := j.(map[string]any)
		switch name := job["job_name"]; name {
		case "calotype":
			found, err := yaml.Marshal(job["consul_sd_configs"])
			if err == nil {
				err = strict(found, &consuls)
			}
			if err != nil {
				return "", nil, err
			}
			delete(job, "consul_sd_configs")
			job["file_sd_configs"] = []any{map[string]any{"files": []string{targets}, "refresh_interval": "1s"}}
		case "calotype-edge":
			delete(job, "dns_sd_configs")
			job["static_configs"] = []group{{Targets: []string{edge}}}
		case "prometheus":
			job["static_configs"] = []group{{Targets: []string{self}}}
		default:
			return "", nil, fmt.Errorf("the job %v is unknown here", name)
		}
	}
	c["scrape_configs"] = append(jobs, map[string]any{"job_name": "calotype-files", "static_configs": []group{{Targets: []string{files}}}})
	out, err := yaml.Marshal(c)
	return string(out), consuls, err
}

// watch runs a Prometheus with the shipped rules over the suite, and finds its nodes in Consul with the token made for it.
func (s *suite) watch(shipped Shipped) *Prometheus {
	s.t.Helper()
	dir, self := s.t.TempDir(), servers.FreePort(s.t)
	targets := filepath.Join(dir, "targets.json")
	text, consuls, err := configuration(shipped["deploy/prometheus/prometheus.yml"], targets, self, s.edge, s.files)
	s.must(err)
	if len(consuls) != 3 || consuls[0].Server != "consul-1:8500" || consuls[2].Authorization.CredentialsFile != "/run/secrets/consul-token-prometheus" {
		s.t.Errorf("Consul is looked for so: %+v", consuls)
	}
	s.must(os.WriteFile(filepath.Join(dir, "prometheus.yml"), []byte(text), 0o600))
	for _, rules := range []string{"alerts.yaml", "rules.yaml"} {
		s.must(os.WriteFile(filepath.Join(dir, rules), []byte(shipped["deploy/prometheus/"+rules]), 0o600))
	}
	s.discover(targets)
	program, err := exec.LookPath("prometheus")
	if err != nil {
		s.t.Fatalf("run tools/provision/servers.sh once, or make test: %v", err)
	}
	p := &Prometheus{URL: "http://" + self}
	servers.Run(s.t, servers.Program{Path: program, Args: []string{
		"--config.file=" + filepath.Join(dir, "prometheus.yml"), "--storage.tsdb.path=" + filepath.Join(dir, "data"),
		"--web.listen-address=" + self, "--log.level=warn",
	}, Ready: func(ctx context.Context, _ *servers.Process) error {
		_, err := s.ask(ctx, http.MethodGet, p.URL+"/-/ready", nil)
		return err
	}})
	return p
}

var noLabel = regexp.MustCompile(`[^a-zA-Z0-9_]`) // what a label's name may not hold

// discover writes down what Consul's discovery would give: every service that the token may see, in Prometheus' names.
func (s *suite) discover(targets string) {
	s.t.Helper()
	cfg := kitregistry.DefaultConfig()
	cfg.Addresses, cfg.Token = s.consul.Addresses(), kitconfig.Secret(s.consul.Tokens["prometheus"])
	client, err := kitregistry.Agents(cfg)
	s.must(err)
	s.eventually("Consul tells of every node", func(context.Context) error {
		names, _, err := client.Catalog().Services(nil)
		if err != nil {
			return err
		}
		var groups []group
		for name := range names {
			nodes, _, err := client.Health().Service(name, "", false, nil)
			if err != nil {
				return err
			}
			for _, n := range nodes {
				labels := map[string]string{
					"__meta_consul_service": name, "__meta_consul_service_id": n.Service.ID, "__meta_consul_service_address": n.Service.Address,
					"__meta_consul_service_port": fmt.Sprint(n.Service.Port), "__meta_consul_node": n.Node.Node,
				}
				for k, v := range n.Service.Meta {
					labels["__meta_consul_service_metadata_"+noLabel.ReplaceAllString(k, "_")] = v
				}
				groups = append(groups, group{Targets: []string{fmt.Sprintf("%s:%d", n.Service.Address, n.Service.Port)}, Labels: labels})
			}
		}
		if len(groups) != 5 {
			return fmt.Errorf("%d nodes: %v", len(groups), groups)
		}
		text, err := json.Marshal(groups)
		if err != nil {
			return err
		}
		return os.WriteFile(targets, text, 0o600)
	})
}

// TestEverythingThatIsAskedIsTold has a whole suite work under the eyes of a real Prometheus, with the shipped rules, and asks it everything
// that alarms, rules and dashboards ask. Then it does so with mistakes, each of which must be found.
func TestEverythingThatIsAskedIsTold(t *testing.T) {
	shipped, err := Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s := start(t)
	p := s.watch(shipped)
	s.use()
	t.Logf("suite and Prometheus are there, and were used, after %v", time.Since(began).Round(time.Second))
	s.eventually("Prometheus answers everything", func(ctx context.Context) error {
		if problems := shipped.Answers(ctx, p); len(problems) > 0 {
			return fmt.Errorf("%d problems: %q", len(problems), problems)
		}
		return nil
	})
	all, err := shipped.Expressions()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d expressions hold after %v", len(all), time.Since(began).Round(time.Second))

	labels, err := p.Labels(t.Context(), `up{job="calotype-storage"}`)
	if want := "[__name__ instance job service version]"; err != nil || fmt.Sprint(labels) != want {
		t.Errorf("a target has the labels %v, %v, want %s", labels, err, want)
	}
	s.findsMistakes(shipped, p)
}
