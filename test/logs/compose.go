package logs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// service is what of compose's is looked at here.
type service struct {
	Image       string
	Profiles    []string
	Restart     string
	MemLimit    string   `yaml:"mem_limit"`
	CapDrop     []string `yaml:"cap_drop"`
	Ports       []string
	Volumes     []string
	Networks    any
	Environment map[string]string
	Healthcheck map[string]any
	Logging     struct {
		Driver  string
		Options map[string]string
	}
}

var (
	pinned   = regexp.MustCompile(`^docker\.elastic\.co/[a-z]+/[a-z]+:(\$\{ELASTIC_VERSION:-\d+\.\d+\.\d+\})$`)
	variable = regexp.MustCompile(`\$\{([A-Z_]+):-([^}]*)\}`)
	label    = regexp.MustCompile(`docker\.attrs\.(com\.[a-z.]+[a-z])`)
)

// Composed tells what is wrong with the profile elk: what it may use, whom it lets in, and whether the lines that it is to ship carry what
// Filebeat looks at. files are those that can be mounted.
func (s Shipped) Composed(there func(path string) bool) []string {
	var file struct {
		Services map[string]service
		Networks map[string]struct{ Internal bool }
		Volumes  map[string]any
	}
	if err := yaml.Unmarshal([]byte(s[Compose]), &file); err != nil {
		return []string{Compose + ": " + err.Error()}
	}
	var problems, parts []string
	tell := func(name, format string, args ...any) {
		problems = append(problems, name+": "+fmt.Sprintf(format, args...))
	}
	versions := map[string]bool{}
	for name, p := range file.Services {
		if !slices.Contains(p.Profiles, "elk") {
			if p.Logging.Driver != "json-file" || p.Logging.Options["tag"] != "{{.Name}}" {
				tell(name, "its lines do not say from which container they are")
			}
			for _, l := range label.FindAllStringSubmatch(s[Shipper], -1) {
				if !slices.Contains(strings.Split(p.Logging.Options["labels"], ","), l[1]) {
					tell(name, "its lines have no %s, which Filebeat looks at", l[1])
				}
			}
			continue
		}
		parts = append(parts, name)
		if m := pinned.FindStringSubmatch(p.Image); m == nil {
			tell(name, "its image is not pinned: %s", p.Image)
		} else {
			versions[m[1]] = true
		}
		if p.MemLimit == "" || !slices.Equal(p.CapDrop, []string{"ALL"}) {
			tell(name, "it may take all memory, or has rights")
		}
		if p.Healthcheck["test"] == nil && p.Restart != "no" {
			tell(name, "nobody sees whether it is well")
		}
		if len(p.Ports) > 0 && (name != "kibana" || !strings.HasPrefix(p.Ports[0], "${UI_BIND:-127.0.0.1}:")) {
			tell(name, "it is published: %v", p.Ports)
		}
		if p.Logging.Options["labels"] != "" {
			tell(name, "its own lines are shipped, which makes more of them")
		}
		for _, v := range p.Volumes {
			from, _, _ := strings.Cut(v, ":")
			switch _, kept := file.Volumes[from]; {
			case strings.HasPrefix(from, "./"):
				if !there(from) {
					tell(name, "there is no %s", from)
				}
			case !kept && !strings.HasPrefix(from, "$"):
				tell(name, "there is no volume %s", from)
			}
		}
	}
	slices.Sort(parts)
	if want := "[elasticsearch elk-init filebeat kibana logstash]"; fmt.Sprint(parts) != want || len(versions) != 1 {
		tell(Compose, "the profile has %v of %d versions, not %s of one", parts, len(versions), want)
	}
	if !file.Networks["logs"].Internal {
		tell(Compose, "the network of the logs leads outside")
	}
	_, profile, _ := strings.Cut(s[Compose], "--profile elk up")
	profile, _, _ = strings.Cut(profile, "\nnetworks:")
	for _, v := range variable.FindAllStringSubmatch(profile, -1) {
		if v[1] == "COMPOSE_PROJECT_NAME" {
			continue
		}
		if !strings.Contains(s[Example], "\n#"+v[1]+"="+v[2]+"\n") {
			tell(Example, "it has no %s=%s", v[1], v[2])
		}
		if !strings.Contains(s[Guide], "`"+v[1]+"`") {
			tell(Guide, "it does not tell of %s", v[1])
		}
	}
	slices.Sort(problems)
	return slices.Compact(problems)
}
