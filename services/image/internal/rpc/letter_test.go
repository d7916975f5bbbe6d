package rpc_test

import (
	"bytes"
	"encoding/json"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	imagev1 "calotype/proto/image/v1"
	"calotype/services/image/internal/job"
	"calotype/services/image/internal/recipe"
	"calotype/services/image/internal/rpc"
)

func TestLetter(t *testing.T) {
	at := time.Date(2026, 5, 4, 3, 2, 1, 123456789, time.UTC)
	j := job.Job{
		ID: "job_01JQ0000000000000000000000", ImageID: "img_1", State: job.Succeeded, Attempts: 2, Sequence: 5, Node: "n1", Created: at, Started: at, Ended: at,
		Recipe:  recipe.Recipe{Variants: []recipe.Variant{{Name: "a", Output: recipe.Output{Format: recipe.WebP, Quality: 80}}}},
		Results: []job.Result{{Name: "a", Size: 1 << 40, Format: "webp", Width: 3}},
		Wishes:  job.Wishes{Webhook: "https://example.com/?a=b&c=<d>", Class: job.Bulk},
	}
	for state, want := range map[job.State]string{job.Succeeded: "job.succeeded", job.Failed: "job.failed", job.Cancelled: "job.cancelled", job.Dead: "job.dead"} {
		j.State = state
		body, err := rpc.Letter(j, job.Event{Job: j.ID, Sequence: 5, State: state, Time: at})
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Type      string
			Timestamp string
			Data      json.RawMessage
		}
		if err := json.Unmarshal(body, &got); err != nil || got.Type != want || got.Timestamp != "2026-05-04T03:02:01.123456Z" {
			t.Errorf("%s: %v, %+v", state, err, got)
		}
		data := new(imagev1.Job)
		if err := protojson.Unmarshal(got.Data, data); err != nil || data.GetId() != string(j.ID) || data.GetResults()[0].GetSize() != 1<<40 || data.GetOptions().GetWebhookUrl() != j.Webhook {
			t.Errorf("%v: %s", err, got.Data)
		}
		for _, part := range []string{`"image_id":"img_1"`, `"preset":""`, `"size":"1099511627776"`, `?a=b&c=<d>`, `"state":"` + data.GetState().String() + `"`} {
			if !bytes.Contains(body, []byte(part)) || bytes.Contains(body, []byte("6789")) {
				t.Errorf("%s lacks %s", body, part)
			}
		}
		var short bytes.Buffer
		if err := json.Compact(&short, body); err != nil || !bytes.Equal(short.Bytes(), body) {
			t.Errorf("not in the shortest form: %s", body)
		}
		if again, _ := rpc.Letter(j, job.Event{Job: j.ID, Sequence: 5, State: state, Time: at}); !bytes.Equal(again, body) {
			t.Errorf("written twice, it differs: %s and %s", body, again)
		}
	}
}
