package logs

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// changed is a copy with one text in the place of another, which must be there.
func (s Shipped) changed(t *testing.T, file, from, to string) Shipped {
	t.Helper()
	if !strings.Contains(s[file], from) {
		t.Fatalf("%s does not hold %q", file, from)
	}
	c := maps.Clone(s)
	c[file] = strings.Replace(c[file], from, to, 1)
	return c
}

// told fails unless one of the problems is the one that was made.
func told(t *testing.T, problems []string, want string) {
	t.Helper()
	if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, want) }) {
		t.Errorf("not found: %s; but %q", want, problems)
	}
}

// mistakes makes one at a time, in what is shipped and in what was found, and sees each told.
func mistakes(t *testing.T, shipped Shipped, written, found []Line) {
	t.Helper()
	for _, c := range []struct{ file, from, to, want string }{
		{Template, `"trace": {"properties": {"id"`, `"trace": {"properties": {"number"`, "no line has trace.number"},
		{Template, `"status_code": {"type": "long"}`, `"status_code": {"type": "date"}`, "http.response.status_code is a date, and the logs have a number there"},
		{Template, `"reason": {"type": "keyword"}`, `"reason": {"type": "long"}`, "calotype.reason is a long, and the logs have a text there"},
		{Template, `"service": {"properties": {`, `"service.name": {"type": "keyword"}, "x": {"properties": {`, "no line has x.name"},
		{Template, `"container": {"properties": {"name": {"type": "keyword"}}}`, `"container": {"type": "keyword"}`, "container is a value, and an object that has container.name"},
		{Template, `"index.mapping.total_fields.limit": 1000`, `"index.mapping.total_fields.limit": 50`, "and room for 50 is little"},
		{Template, `"index.lifecycle.name": "calotype-logs"`, `"index.lifecycle.name": "logs"`, "does not give _ilm/policy/logs"},
		{Template, `"priority": 500`, `"prioritty": 500`, `unknown field "prioritty"`},
		{Policy, `"rollover"`, `"roll"`, "no phase that turns over"},
		{Policy, `14d`, `15d`, "does not change the age"},
		{Policy, `{`, `[`, Policy + ": "},
		{Objects, `"http.response.status_code"`, `"http.response.status"`, "search calotype-request: no line has http.response.status"},
		{Objects, `message : \\\"job ended\\\"`, `message : \\\"job begun\\\"`, "search calotype-job-failures: it finds nothing"},
		{Objects, `log.level : (`, `log.level = (`, "search calotype-errors: kuery: the query"},
		{Objects, `\"field\":\"service.name\"`, `\"field\":\"message\"`, "message cannot be counted by"},
		{Objects, `\"field\":\"@timestamp\"`, `\"field\":\"service.name\"`, "service.name is no time"},
		{Objects, `\"orderBy\":\"1\"`, `\"orderBy\":\"9\"`, "is ordered by 9"},
		{Objects, `\"type\":\"histogram\",\"grid\"`, `\"type\":\"line\",\"grid\"`, "it is a histogram, and has what a line is told"},
		{Objects, `"id":"calotype-errors-by-service","type":"visualization","core`, `"id":"by-service","type":"visualization","core`, "there is no visualization calotype-errors-by-service"},
		{Objects, `panel_3\"`, `panel_5\"`, `it has no reference "3:panel_5"`},
		{Objects, `\"w\":48`, `\"w\":49`, "is outside"},
		{Objects, `"title":"logs-calotype-*"`, `"title":"logs-*"`, "index-pattern calotype-logs: it is of logs-*"},
		{Objects, `"migrationVersion":{"search":"7.9.3"}`, `"migrationVersion":{}`, "which Kibana's form"},
		{Objects, "\n", "\n\n", "line 2: EOF"},
		{Pipeline, `"logs-calotype-default"`, `"calotype-default"`, "calotype-default is none of logs-calotype-*"},
		{Pipeline, `remove_field => ["@version"`, `remove_field => ["@version", "host"`, "no line has host"},
		{Pipeline, `%{[@metadata][_id]}`, `%{[@metadata][id]}`, "has no id to be known by"},
		{Shipper, "to: container.name", "to: container.names", "no line has container.names"},
		{Setup, "_index_template/calotype-logs ", "_index_template/calotype ", "does not give _index_template/calotype-logs"},
		{Guide, "`trace.id`", "`trace.ids`", "no line has trace.ids"},
		{Guide, "`trace.id`", "the trace", "its table has no trace.id"},
	} {
		told(t, shipped.changed(t, c.file, c.from, c.to).Problems(found), c.want)
	}
	with := func(field string, v any) []Line {
		l := maps.Clone(found[0])
		l[field] = v
		return append(slices.Clone(found), l)
	}
	told(t, shipped.Problems(with("calotype.job", "job_1")), "calotype.job is a value, and an object that has calotype.job.id")
	told(t, shipped.Problems(with("calotype.took", 1.5)), "calotype.took is now of one kind and now of another")
	told(t, shipped.Problems(with("of.nobody", "x")), "its table has no of.nobody")

	if lost, twice, _ := Compare(written, found[1:]); len(lost) != 1 || len(twice) != 0 {
		t.Errorf("of one line less %d are lost", len(lost))
	}
	if lost, twice, _ := Compare(written, append(slices.Clone(found), found[0])); len(lost) != 0 || len(twice) != 1 {
		t.Errorf("of one line more %d are there twice", len(twice))
	}
	other := maps.Clone(found[0])
	other["message"] = other.Text("message") + "!"
	if lost, _, strange := Compare(written, append([]Line{other}, found[1:]...)); len(lost) != 1 || len(strange) != 1 {
		t.Errorf("of one line changed %d are lost, %d strange", len(lost), len(strange))
	}
}

// storyMistakes takes something out of a story, and sees it missed.
func storyMistakes(t *testing.T, story []Line, trace, job string) {
	t.Helper()
	for i, p := range Upload {
		without := slices.DeleteFunc(slices.Clone(story), func(l Line) bool { return l.Text("service.name") == p.Service && l.Text("message") == p.Message })
		told(t, Story(without, Upload, request, trace, job), p.Service+" does not say")
		for _, field := range []string{"trace.id", "http.request.id", "calotype.job.id"} {
			if field == "calotype.job.id" && !p.Job {
				continue
			}
			var less []Line
			for _, l := range story {
				l = maps.Clone(l)
				if l.Text("message") == Upload[i].Message {
					delete(l, field)
				}
				less = append(less, l)
			}
			told(t, Story(less, Upload, request, trace, job), `has `+field+` ""`)
		}
	}
}
