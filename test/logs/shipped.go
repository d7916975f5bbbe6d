package logs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Shipped are the files that are checked, by their paths in the checkout.
type Shipped map[string]string

// Where they stand.
const (
	Template = "deploy/elk/template.json"
	Policy   = "deploy/elk/policy.json"
	Objects  = "deploy/elk/kibana.ndjson"
	Pipeline = "deploy/elk/logstash.conf"
	Shipper  = "deploy/elk/filebeat.yml"
	Setup    = "deploy/elk/setup.sh"
	Compose  = "docker-compose.yml"
	Example  = ".env.example"
	Guide    = "docs/logging.md"
)

// Load reads them.
func Load(root string) (Shipped, error) {
	s := Shipped{}
	for _, name := range []string{Template, Policy, Objects, Pipeline, Shipper, Setup, Compose, Example, Guide} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return nil, fmt.Errorf("reading what is shipped: %w", err)
		}
		s[name] = string(text)
	}
	return s, nil
}

// template is Elasticsearch's index template.
type template struct {
	IndexPatterns []string `json:"index_patterns"`
	Priority      int      `json:"priority"`
	DataStream    struct{} `json:"data_stream"`
	Meta          any      `json:"_meta"`
	Template      struct {
		Settings map[string]any `json:"settings"`
		Mappings struct {
			DateDetection    bool                `json:"date_detection"`
			NumericDetection bool                `json:"numeric_detection"`
			DynamicTemplates []map[string]any    `json:"dynamic_templates"`
			Properties       map[string]property `json:"properties"`
		} `json:"mappings"`
	} `json:"template"`
}

type property struct {
	Type        string              `json:"type"`
	IgnoreAbove int                 `json:"ignore_above"`
	Properties  map[string]property `json:"properties"`
}

func (s Shipped) template() (t template, err error) {
	return t, strictly(s[Template], &t)
}

// types are the template's, by the fields' full names.
func (t template) types() map[string]string {
	types := map[string]string{}
	var walk func(prefix string, ps map[string]property)
	walk = func(prefix string, ps map[string]property) {
		for name, p := range ps {
			if p.Type != "" {
				types[prefix+name] = p.Type
			}
			walk(prefix+name+".", p.Properties)
		}
	}
	walk("", t.Template.Mappings.Properties)
	return types
}

// object is one of Kibana's.
type object struct {
	ID, Type             string
	CoreMigrationVersion string
	MigrationVersion     map[string]string
	References           []reference
	Attributes           attributes
}

type reference struct{ Name, Type, ID string }

// attributes are those of all types; some hold JSON in a string.
type attributes struct {
	Title, Name, Description, TimeFieldName string
	TimeFrom, TimeTo                        string
	TimeRestore                             bool
	RefreshInterval                         any
	Columns                                 []string
	Sort                                    [][]string
	Hits, Version                           int
	UIStateJSON, OptionsJSON                string
	VisState, PanelsJSON                    string
	SavedSearchRefName                      string
	KibanaSavedObjectMeta                   struct{ SearchSourceJSON string }
}

func (s Shipped) objects() ([]object, error) {
	var all []object
	for n, line := range strings.Split(strings.TrimSpace(s[Objects]), "\n") {
		var o object
		if err := strictly(line, &o); err != nil {
			return nil, fmt.Errorf("line %d: %w", n+1, err)
		}
		all = append(all, o)
	}
	return all, nil
}

// strictly takes no key that into does not have, and nothing after the end.
func strictly(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if d.More() {
		return fmt.Errorf("there is more after its end")
	}
	return nil
}
