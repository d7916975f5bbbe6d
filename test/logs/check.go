package logs

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Problems tells where what is shipped and the lines, as the store has them, are not of one mind.
func (s Shipped) Problems(lines []Line) []string {
	c := &check{shipped: s, lines: lines, seen: map[string]map[string]bool{}}
	for _, l := range lines {
		for field, v := range l {
			if c.seen[field] == nil {
				c.seen[field] = map[string]bool{}
			}
			c.seen[field][kind(v)] = true
		}
	}
	t, err := s.template()
	if err != nil {
		return []string{Template + ": " + err.Error()}
	}
	c.types = t.types()
	c.template(t)
	c.policy(t)
	c.objects(t)
	c.pipeline(t)
	c.shipper()
	c.guide()
	slices.Sort(c.problems)
	return slices.Compact(c.problems)
}

type check struct {
	shipped  Shipped
	lines    []Line
	seen     map[string]map[string]bool // the kinds of values of each field
	types    map[string]string          // of the template
	problems []string
}

func (c *check) tell(file, format string, args ...any) {
	c.problems = append(c.problems, file+": "+fmt.Sprintf(format, args...))
}

// has tells of a field that no line has.
func (c *check) has(file, field string) {
	if c.seen[field] == nil {
		c.tell(file, "no line has %s", field)
	}
}

// kind is what Elasticsearch makes of a JSON value that it has no word about.
func kind(v any) string {
	switch v := v.(type) {
	case string:
		return "text"
	case bool:
		return "boolean"
	case float64:
		return "number"
	case []any:
		if len(v) == 0 {
			return "nothing"
		}
		return kind(v[0])
	case nil:
		return "nothing"
	}
	return fmt.Sprintf("%T", v)
}

// takes are the kinds that a type of the template stores.
var takes = map[string][]string{
	"keyword": {"text", "number", "boolean"}, "match_only_text": {"text", "number", "boolean"}, "long": {"number"}, "date": {"text"},
}

// template: each line can be stored by it, whichever comes first, and whatever it names is there.
func (c *check) template(t template) {
	for field, is := range c.types {
		c.has(Template, field)
		for k := range c.seen[field] {
			if k != "nothing" && !slices.Contains(takes[is], k) {
				c.tell(Template, "%s is a %s, and the logs have a %s there", field, is, k)
			}
		}
	}
	named := map[string]bool{}
	for field := range c.types {
		named[field] = true
	}
	for field, kinds := range c.seen {
		named[field] = true
		if c.types[field] == "" && len(kinds) > 1 && !(len(kinds) == 2 && kinds["nothing"]) {
			c.tell(Template, "%s is now of one kind and now of another in the logs, and has no type here", field)
		}
	}
	for field := range named {
		for i, r := range field {
			if r == '.' && named[field[:i]] {
				c.tell(Template, "%s is a value, and an object that has %s", field[:i], field)
			}
		}
	}
	if most, _ := t.Template.Settings["index.mapping.total_fields.limit"].(float64); 2*len(named) > int(most) {
		c.tell(Template, "the logs have %d fields, and room for %v is little", len(named), most)
	}
}

// policy: it is the one that the template names and the script gives.
func (c *check) policy(t template) {
	var p struct {
		Policy struct {
			Meta   any `json:"_meta"`
			Phases map[string]struct {
				MinAge  string         `json:"min_age"`
				Actions map[string]any `json:"actions"`
			} `json:"phases"`
		} `json:"policy"`
	}
	if err := strictly(c.shipped[Policy], &p); err != nil {
		c.tell(Policy, "%v", err)
		return
	}
	if p.Policy.Phases["hot"].Actions["rollover"] == nil || p.Policy.Phases["delete"].Actions["delete"] == nil {
		c.tell(Policy, "it has no phase that turns over, or none that deletes")
	}
	if age := p.Policy.Phases["delete"].MinAge; !strings.Contains(c.shipped[Setup], `\"min_age\": \"`+age+`\"`) {
		c.tell(Setup, "does not change the age of %s, which is %s", Policy, age)
	}
	for what, name := range map[string]any{"_ilm/policy/": t.Template.Settings["index.lifecycle.name"], "_index_template/": "calotype-logs"} {
		if !strings.Contains(c.shipped[Setup], fmt.Sprint(what, name, " ")) {
			c.tell(Setup, "does not give %s%v", what, name)
		}
	}
}

var (
	reads   = regexp.MustCompile(`\[([a-z@_]\w*)\]((?:\[\w+\])*)`)
	index   = regexp.MustCompile(`index => "([^"]+)"`)
	removes = regexp.MustCompile(`remove_field => \[([^\]]*)\]`)
	literal = regexp.MustCompile(`"([^"]*)"`)
)

// pipeline: it writes where the template is for, and names what lines have, or what Logstash adds itself.
func (c *check) pipeline(t template) {
	text := comment.ReplaceAllString(c.shipped[Pipeline], "")
	to := index.FindStringSubmatch(text)
	if to == nil {
		c.tell(Pipeline, "it names no index")
	} else if ok, err := path.Match(t.IndexPatterns[0], to[1]); !ok || err != nil {
		c.tell(Pipeline, "%s is none of %s", to[1], t.IndexPatterns[0])
	}
	own := []string{"@version", "tags", "@metadata._id"} // Logstash's and Filebeat's
	for _, m := range removes.FindAllStringSubmatch(text, -1) {
		for _, f := range literal.FindAllStringSubmatch(m[1], -1) {
			if !slices.Contains(own, f[1]) {
				c.has(Pipeline, f[1])
			}
		}
	}
	for _, m := range reads.FindAllStringSubmatch(removes.ReplaceAllString(text, ""), -1) {
		field := strings.NewReplacer("][", ".", "[", "", "]", "").Replace("[" + m[1] + "]" + m[2])
		if !slices.Contains(own, field) {
			c.has(Pipeline, field)
		}
	}
	if !strings.Contains(text, "%{[@metadata][_id]}") || !strings.Contains(c.shipped[Shipper], `target_field: "@metadata._id"`) {
		c.tell(Pipeline, "a line that is sent again has no id to be known by")
	}
}

var (
	comment = regexp.MustCompile(`(?m)(^|\s)#.*$`)
	writes  = regexp.MustCompile(`\bto: ([\w.]+)`)
	asks    = regexp.MustCompile(`has_fields: \[([\w., ]+)\]`)
	row     = regexp.MustCompile("(?m)^\\| (`[^|]+)\\|")
	quoted  = regexp.MustCompile("`([^`]+)`")
)

// shipper: what it writes and asks for is in the lines.
func (c *check) shipper() {
	for _, m := range append(writes.FindAllStringSubmatch(c.shipped[Shipper], -1), asks.FindAllStringSubmatch(c.shipped[Shipper], -1)...) {
		c.has(Shipper, m[1])
	}
}

// guide: its table of fields has what the lines have, and nothing else.
func (c *check) guide() {
	_, table, _ := strings.Cut(c.shipped[Guide], "| field | is | of |")
	table, _, _ = strings.Cut(table, "\n\n")
	told := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(table, -1) {
		for _, f := range quoted.FindAllStringSubmatch(m[1], -1) {
			told[f[1]] = true
			if !strings.HasSuffix(f[1], "*") {
				c.has(Guide, f[1])
			}
		}
	}
	for field := range c.seen {
		if !told[field] && !strings.HasPrefix(field, "calotype.") {
			c.tell(Guide, "its table has no %s", field)
		}
	}
}

// inside reads JSON that stands in a string.
func inside(text string, into any) error {
	if text == "" {
		return nil
	}
	return json.Unmarshal([]byte(text), into)
}
