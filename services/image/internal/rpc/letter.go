package rpc

import (
	"bytes"
	"encoding/json"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
)

// letter is what a webhook is told, in the form of Standard Webhooks.
type letter struct {
	Type      string          `json:"type"` // "job." and the state in which it ended
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// asShown writes messages as the gateway does.
var asShown = protojson.MarshalOptions{UseProtoNames: true, EmitDefaultValues: true}

// Letter writes the body of the webhook that tells how a job ended: the job as GET /v1/jobs/{id} shows it, in the shortest form.
func Letter(j job.Job, e job.Event) ([]byte, error) {
	for _, at := range []*time.Time{&j.Created, &j.Started, &j.Ended, &j.Expires, &e.Time} {
		*at = at.Truncate(time.Microsecond) // as stores keep them
	}
	p := new(imagev1.Job)
	fillJob(p, j)
	shown, err := asShown.Marshal(p)
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the webhook of job %s cannot be written", j.ID)
	}
	var b bytes.Buffer
	w := json.NewEncoder(&b)
	w.SetEscapeHTML(false)
	if err := w.Encode(letter{Type: "job." + string(e.State), Timestamp: e.Time.UTC(), Data: shown}); err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the webhook of job %s cannot be written", j.ID)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}
