package logs

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Query is one of Kibana's (KQL), of the form that the searches here have: field : value, or field : (value or value), joined by "and".
type Query []Clause

// Clause wants a field to have one of some values; none means that any will do.
type Clause struct {
	Field  string
	Values []string
}

var (
	clause = regexp.MustCompile(`^\s*([\w.@]+) : (\*|"[^"]*"|\([^()]*\))\s*(?:and\s|$)`)
	value  = regexp.MustCompile(`^"([^"]*)"$`)
)

// ParseQuery takes a query apart.
func ParseQuery(text string) (Query, error) {
	var q Query
	for rest := text; strings.TrimSpace(rest) != ""; {
		m := clause.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("the query %q cannot be read from %q on", text, rest)
		}
		rest = rest[len(m[0]):]
		c := Clause{Field: m[1]}
		if m[2] != "*" {
			for _, v := range strings.Split(strings.Trim(m[2], "()"), " or ") {
				quoted := value.FindStringSubmatch(strings.TrimSpace(v))
				if quoted == nil {
					return nil, fmt.Errorf("the query %q has the value %s", text, v)
				}
				c.Values = append(c.Values, quoted[1])
			}
		}
		q = append(q, c)
	}
	return q, nil
}

// Matches tells whether a line is found by the query: a text holds the words, another field is the value.
func (q Query) Matches(l Line, types map[string]string) bool {
	for _, c := range q {
		have, ok := l[c.Field]
		is := func(want string) bool {
			if types[c.Field] == "match_only_text" {
				return strings.Contains(strings.ToLower(fmt.Sprint(have)), strings.ToLower(want))
			}
			return fmt.Sprint(have) == want
		}
		if !ok || len(c.Values) > 0 && !slices.ContainsFunc(c.Values, is) {
			return false
		}
	}
	return true
}
