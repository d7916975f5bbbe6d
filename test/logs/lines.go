// Package logs holds what is shipped for Elasticsearch, Logstash, Kibana and Filebeat to the lines that running processes write: a real
// Filebeat ships them into a real store, and everything that a file of deploy/elk names is in them.
package logs

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"
)

// Line is one as a store has it: its fields by their full names.
type Line map[string]any

// Flatten gives the fields of a document by their full names.
func Flatten(doc map[string]any) Line {
	l := Line{}
	var walk func(prefix string, doc map[string]any)
	walk = func(prefix string, doc map[string]any) {
		for k, v := range doc {
			if inner, ok := v.(map[string]any); ok {
				walk(prefix+k+".", inner)
			} else {
				l[prefix+k] = v
			}
		}
	}
	walk("", doc)
	return l
}

// Text gives a field's value as people see it, "" where there is none.
func (l Line) Text(field string) string {
	if v, ok := l[field]; ok {
		return fmt.Sprint(v)
	}
	return ""
}

// Written is a line of a container, as a store is to have it: JSON by its fields, anything else as a message of the service.
func Written(container, service, text string, at time.Time) Line {
	var doc map[string]any
	l := Line{"message": text, "@timestamp": at.UTC().Format(time.RFC3339Nano)}
	if json.Unmarshal([]byte(text), &doc) == nil {
		l = Flatten(doc)
	}
	l["container.name"] = container
	if _, ok := l["service.name"]; !ok {
		l["service.name"] = service
	}
	if at, err := time.Parse(time.RFC3339Nano, l.Text("@timestamp")); err == nil {
		l["@timestamp"] = at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) // as Filebeat does
	}
	return l
}

// identity is the same for two lines of which all fields are. The store has times as floating-point numbers.
func (l Line) identity() string {
	c := Line{}
	for k, v := range l {
		c[k] = v
	}
	if at, err := time.Parse(time.RFC3339Nano, l.Text("@timestamp")); err == nil {
		c["@timestamp"] = at.UTC().Round(time.Millisecond)
	}
	text, err := json.Marshal(c) // with its keys in order
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// Compare tells which lines that were written are not found, which are found more often than they were written, and which nobody wrote.
func Compare(written, found []Line) (lost, twice, strange []string) {
	missing := map[string]int{}
	for _, l := range written {
		missing[l.identity()]++
	}
	for _, l := range found {
		id := l.identity()
		n, known := missing[id]
		switch missing[id] = n - 1; {
		case !known:
			strange = append(strange, id)
			delete(missing, id)
		case n < 1:
			twice = append(twice, id)
		}
	}
	for id, n := range missing {
		for range n {
			lost = append(lost, id)
		}
	}
	slices.Sort(lost)
	return lost, twice, strange
}
