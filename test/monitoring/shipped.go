// Package monitoring holds what is shipped for Prometheus and Grafana to what running processes tell: every expression is asked of a real
// Prometheus, and every alarm has its page.
package monitoring

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Expression is one question to Prometheus, and where it stands.
type Expression struct {
	Where string
	Text  string // as Prometheus takes it
	Panel bool   // of a dashboard; it shows something as long as all is well, unless it is one of quiet
}

// Shipped are the files that are checked, by their paths in the checkout.
type Shipped map[string]string

// Load reads them.
func Load(root string) (Shipped, error) {
	s := Shipped{}
	for _, pattern := range []string{"deploy/prometheus/*.y*ml", "deploy/grafana/dashboards/*.json", "docs/operations.md", "docs/monitoring.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", pattern, err)
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("there is no %s", pattern)
		}
		for _, path := range found {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, fmt.Errorf("reading what is shipped: %w", err)
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return nil, fmt.Errorf("reading what is shipped: %w", err)
			}
			s[filepath.ToSlash(name)] = string(text)
		}
	}
	return s, nil
}

// Rule is one of a rules' file.
type Rule struct {
	Alert, Record, Expr string
	Annotations         map[string]string
}

// Rules are those of alerts.yaml and rules.yaml.
func (s Shipped) Rules() ([]Rule, error) {
	var all []Rule
	for _, name := range []string{"deploy/prometheus/alerts.yaml", "deploy/prometheus/rules.yaml"} {
		var file struct {
			Groups []struct{ Rules []Rule }
		}
		if err := yaml.Unmarshal([]byte(s[name]), &file); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for _, g := range file.Groups {
			all = append(all, g.Rules...)
		}
	}
	return all, nil
}

// Expressions are all that is asked of Prometheus, by rules and by dashboards.
func (s Shipped) Expressions() ([]Expression, error) {
	rules, err := s.Rules()
	if err != nil {
		return nil, err
	}
	var all []Expression
	for _, r := range rules {
		all = append(all, Expression{Where: r.Alert + r.Record, Text: r.Expr})
	}
	for name, text := range s {
		if !strings.HasPrefix(name, "deploy/grafana/") {
			continue
		}
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
			Templating struct {
				List []struct{ Query struct{ Query string } }
			}
		}
		if err := json.Unmarshal([]byte(text), &board); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		title := strings.TrimSuffix(filepath.Base(name), ".json")
		for _, p := range board.Panels {
			for _, t := range p.Targets {
				all = append(all, Expression{Where: title + ": " + p.Title, Text: filled.Replace(t.Expr), Panel: true})
			}
		}
		for _, v := range board.Templating.List {
			if m := values.FindStringSubmatch(v.Query.Query); m != nil {
				all = append(all, Expression{Where: title + ": a variable", Text: "count by (" + m[2] + ") (" + m[1] + ")", Panel: true})
			}
		}
	}
	slices.SortFunc(all, func(a, b Expression) int { return strings.Compare(a.Where+a.Text, b.Where+b.Text) })
	return all, nil
}

var (
	filled = strings.NewReplacer("$__rate_interval", "1m", "$job", "calotype-.+") // what Grafana puts in
	values = regexp.MustCompile(`^label_values\((.+), *(\w+)\)$`)
)
