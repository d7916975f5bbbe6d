package logs

import (
	"fmt"
	"slices"
)

// Part is a line that belongs to a request's story.
type Part struct {
	Service, Message string
	Job              bool // it names the job
}

// Upload is the story of an upload with a preset, as it is told when calls are logged (log.level: debug).
var Upload = []Part{
	{Service: "nginx", Message: "request"},
	{Service: "calotype-gateway", Message: "request"},
	{Service: "calotype-storage", Message: "answered /storage.v1.Storage/Put"},
	{Service: "calotype-image", Message: "answered /image.v1.Images/Create"},
	{Service: "calotype-image-worker", Message: "answered /image.v1.Transformer/Inspect"},
	{Service: "calotype-storage", Message: "answered /storage.v1.Storage/Get"},
	{Service: "calotype-image", Message: "job accepted", Job: true},
	{Service: "calotype-image-worker", Message: "job done", Job: true},
	{Service: "calotype-image", Message: "a node reported", Job: true},
	{Service: "calotype-image", Message: "job ended", Job: true},
}

// Story tells what is missing in the lines that were found by a request's id: a part of the story, or an id.
func Story(found []Line, parts []Part, request, trace, job string) []string {
	var problems []string
	for _, p := range parts {
		i := slices.IndexFunc(found, func(l Line) bool { return l.Text("service.name") == p.Service && l.Text("message") == p.Message })
		if i < 0 {
			problems = append(problems, fmt.Sprintf("%s does not say %q", p.Service, p.Message))
			continue
		}
		for field, want := range map[string]string{"http.request.id": request, "trace.id": trace, "calotype.job.id": job} {
			if field == "calotype.job.id" && !p.Job {
				continue
			}
			if have := found[i].Text(field); have != want {
				problems = append(problems, fmt.Sprintf("%s: %q has %s %q, not %q", p.Service, p.Message, field, have, want))
			}
		}
	}
	slices.Sort(problems)
	return problems
}
