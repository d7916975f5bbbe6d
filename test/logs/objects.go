package logs

import (
	"slices"
	"strings"
)

// objects: they refer to one another and to nothing else, their fields are in the logs, and each search finds something.
func (c *check) objects(t template) {
	all, err := c.shipped.objects()
	if err != nil {
		c.tell(Objects, "%v", err)
		return
	}
	there := map[reference]bool{}
	for _, o := range all {
		if there[reference{Type: o.Type, ID: o.ID}] {
			c.tell(Objects, "there are two of %s %s", o.Type, o.ID)
		}
		there[reference{Type: o.Type, ID: o.ID}] = true
	}
	for _, o := range all {
		o := shown{c, o}
		for _, r := range o.References {
			if !there[reference{Type: r.Type, ID: r.ID}] {
				o.tell("there is no %s %s", r.Type, r.ID)
			}
		}
		if o.MigrationVersion[o.Type] == "" || o.CoreMigrationVersion == "" {
			o.tell("it does not say which Kibana's form it has")
		}
		switch o.Type {
		case "index-pattern":
			if o.Attributes.Title != t.IndexPatterns[0] || c.types[o.Attributes.TimeFieldName] != "date" {
				o.tell("it is of %s by %s, and the template of %s", o.Attributes.Title, o.Attributes.TimeFieldName, t.IndexPatterns[0])
			}
		case "search":
			o.search()
		case "visualization":
			o.visualization()
		case "dashboard":
			o.dashboard()
		default:
			o.tell("nobody knows such objects")
		}
	}
}

type shown struct {
	*check
	object
}

func (o shown) tell(format string, args ...any) {
	o.check.tell(Objects, o.Type+" "+o.ID+": "+format, args...)
}

// refers tells of a name that is none of the object's references.
func (o shown) refers(name, kind string) {
	if !slices.ContainsFunc(o.References, func(r reference) bool { return r.Name == name && r.Type == kind }) {
		o.tell("it has no reference %q to a %s", name, kind)
	}
}

func (o shown) search() {
	var source struct {
		Query        struct{ Query, Language string }
		IndexRefName string
	}
	if err := inside(o.Attributes.KibanaSavedObjectMeta.SearchSourceJSON, &source); err != nil {
		o.tell("%v", err)
		return
	}
	o.refers(source.IndexRefName, "index-pattern")
	q, err := ParseQuery(source.Query.Query)
	if err != nil || source.Query.Language != "kuery" {
		o.tell("%s: %v", source.Query.Language, err)
		return
	}
	fields := slices.Clone(o.Attributes.Columns)
	for _, c := range q {
		fields = append(fields, c.Field)
	}
	for _, s := range o.Attributes.Sort {
		fields = append(fields, s[0])
	}
	for _, f := range fields {
		if o.seen[f] == nil {
			o.tell("no line has %s", f)
		}
	}
	if !slices.ContainsFunc(o.lines, func(l Line) bool { return q.Matches(l, o.types) }) {
		o.tell("it finds nothing: %s", source.Query.Query)
	}
}

func (o shown) visualization() {
	var state struct {
		Type string
		Aggs []struct {
			ID, Type, Schema string
			Params           struct{ Field, OrderBy string }
		}
		Params struct{ Type string }
	}
	if err := inside(o.Attributes.VisState, &state); err != nil {
		o.tell("%v", err)
		return
	}
	o.refers(o.Attributes.SavedSearchRefName, "search")
	if state.Params.Type != "" && state.Params.Type != state.Type {
		o.tell("it is a %s, and has what a %s is told", state.Type, state.Params.Type)
	}
	ids := map[string]bool{}
	for _, a := range state.Aggs {
		ids[a.ID] = true
	}
	for _, a := range state.Aggs {
		switch is := o.types[a.Params.Field]; a.Type {
		case "count":
			continue
		case "date_histogram":
			if is != "date" {
				o.tell("%s is no time", a.Params.Field)
			}
		case "terms":
			if is != "" && is != "keyword" && is != "long" {
				o.tell("%s cannot be counted by: it is a %s", a.Params.Field, is)
			}
			if !ids[a.Params.OrderBy] {
				o.tell("%s is ordered by %s, which is none of its figures", a.Params.Field, a.Params.OrderBy)
			}
		default:
			o.tell("nobody knows %s", a.Type)
		}
		if o.seen[a.Params.Field] == nil {
			o.tell("no line has %s", a.Params.Field)
		}
	}
	if len(state.Aggs) == 0 {
		o.tell("it shows nothing")
	}
}

func (o shown) dashboard() {
	var panels []struct {
		Type, PanelIndex, PanelRefName string
		GridData                       struct{ X, Y, W, H int }
	}
	if err := inside(o.Attributes.PanelsJSON, &panels); err != nil {
		o.tell("%v", err)
		return
	}
	for _, p := range panels {
		o.refers(p.PanelIndex+":"+p.PanelRefName, p.Type)
		if p.GridData.X < 0 || p.GridData.W < 1 || p.GridData.X+p.GridData.W > 48 || p.GridData.H < 1 {
			o.tell("panel %s is outside", p.PanelIndex)
		}
	}
	if len(panels) == 0 || len(panels) != len(o.References) || strings.TrimSpace(o.Attributes.Title) == "" {
		o.tell("%d panels, %d references", len(panels), len(o.References))
	}
}
