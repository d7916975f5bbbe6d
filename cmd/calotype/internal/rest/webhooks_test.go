package rest_test

import (
	"fmt"
	"net/http"
	"testing"

	imagev1 "calotype/proto/image/v1"
)

func TestWebhooks(t *testing.T) {
	var asked []string
	c := gateway(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.String())
		switch {
		case r.URL.Path != "/v1/webhooks":
			fmt.Fprint(w, `{"id":"whk_1_2","state":"PENDING","payload":"{}"}`)
		case r.URL.Query().Get("page_token") == "":
			fmt.Fprint(w, `{"webhooks":[{"id":"whk_1_2"},{"id":"whk_1_1"}],"next_page_token":"more"}`)
		default:
			fmt.Fprint(w, `{"webhooks":[{"id":"whk_0_3"}],"next_page_token":"more still"}`)
		}
	})
	found, err := c.Webhooks(t.Context(), 3, "job_1", "FAILED")
	if err != nil || len(found) != 3 || found[2].Id != "whk_0_3" {
		t.Errorf("found %v, %v", found, err)
	}
	for _, call := range []func() (*imagev1.Webhook, error){
		func() (*imagev1.Webhook, error) { return c.Webhook(t.Context(), "whk_1_2") },
		func() (*imagev1.Webhook, error) { return c.Replay(t.Context(), "whk_1_2") },
	} {
		if w, err := call(); err != nil || w.Id != "whk_1_2" || w.State != imagev1.Webhook_PENDING {
			t.Errorf("%v, %v", w, err)
		}
	}
	want := []string{"GET /v1/webhooks?job_id=job_1&page_size=3&state=FAILED", "GET /v1/webhooks?job_id=job_1&page_size=1&page_token=more&state=FAILED",
		"GET /v1/webhooks/whk_1_2", "POST /v1/webhooks/whk_1_2:replay"}
	if fmt.Sprint(asked) != fmt.Sprint(want) {
		t.Errorf("asked %q", asked)
	}
}
