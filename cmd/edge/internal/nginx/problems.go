package nginx

import (
	"encoding/json"
	"strings"
)

// problem is an error of nginx's own, as the gateway would tell it: gateway/internal/problem has the words.
type problem struct {
	Codes  string // as error_page takes them
	Page   int
	Status int
	Retry  int // seconds; 0: trying again is not worth it
	Body   string
}

// problems are told before a gateway is reached, or when none can be. 502 is a gateway that went away in the middle of a request:
// whether it did anything is not known. 503 is that nothing was begun.
var problems = []problem{
	made("400", 400, 0, "BAD_REQUEST", "The request is not valid", "The request is not HTTP as it should be."),
	made("404", 404, 0, "ROUTE_NOT_FOUND", "No such route", "There is nothing here."),
	made("405", 405, 0, "METHOD_NOT_ALLOWED", "The route does not take this method", "No route takes this method."),
	made("408", 408, 0, "STALLED", "The request stopped coming", "Nothing came for too long."),
	made("413", 413, 0, "TOO_LARGE", "Too large", "The body is larger than is taken here."),
	made("414", 414, 0, "URI_TOO_LONG", "The address is too long", "The address is longer than is taken here."),
	made("429", 429, 1, "EXHAUSTED", "A limit is used up", "Too many requests, or connections, from your address."),
	made("494 =431", 431, 0, "HEADERS_TOO_LARGE", "The headers are too large", "The headers are larger than is taken here."),
	made("500", 500, 0, "INTERNAL", "Something went wrong", "Something went wrong here. The request id leads to what is known about it."),
	made("502", 502, 1, "GATEWAY_LOST", "The gateway went away",
		"The gateway went away before it had answered. Whether the request was carried out is not known; an Idempotency-Key makes it safe to send it again."),
	made("503", 503, 1, "UNAVAILABLE", "Not available at the moment", "No gateway is there at the moment. Nothing was done."),
	made("504", 504, 1, "DEADLINE", "It took too long", "The answer took longer than is allowed."),
}

func made(codes string, status, retry int, reason, title, detail string) problem {
	b, _ := json.Marshal(struct { // strings and a number always can be
		Type      string `json:"type"`
		Title     string `json:"title"`
		Status    int    `json:"status"`
		Detail    string `json:"detail"`
		Reason    string `json:"reason"`
		RequestID string `json:"request_id"`
		TraceID   string `json:"trace_id,omitempty"`
	}{"urn:calotype:problem:" + strings.ReplaceAll(strings.ToLower(reason), "_", "-"), title, status, detail, reason, "$request_ref", "$trace_id"})
	return problem{Codes: codes, Page: status, Status: status, Retry: retry, Body: string(b) + `\n`}
}

// status is what a gRPC client is told in place of a problem.
type status struct {
	Code    int
	Message string
}

var statuses = []status{
	{3, "the request is not valid"},
	{4, "the answer took longer than is allowed"},
	{8, "a limit is used up"},
	{13, "something went wrong"},
	{14, "no gateway is there at the moment"},
}

// Refusal is what a slot answers when there is no gateway to carry a connection to: it has nginx tell it as a problem with the request's id,
// unless the request may go to another slot, or the cache has something.
const Refusal = "HTTP/1.1 503 Service Unavailable\r\nX-Accel-Redirect: /_problem/503\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
