package problem

import (
	"net/http"

	"calotype/kit/fault"
)

// StatusClientClosedRequest is what is logged for a caller who left. There is nobody to read it.
const StatusClientClosedRequest = 499

// The reasons of the edge itself.
const (
	RouteNotFound        = "ROUTE_NOT_FOUND"
	MethodNotAllowed     = "METHOD_NOT_ALLOWED"
	UnsupportedMediaType = "UNSUPPORTED_MEDIA_TYPE"
	PreconditionFailed   = "PRECONDITION_FAILED"
	OutOfRange           = "OUT_OF_RANGE"
	TooLarge             = "TOO_LARGE"
	URITooLong           = "URI_TOO_LONG"
	Stalled              = "STALLED"
)

type row struct {
	kind   fault.Kind
	status int
	title  string
	reason string // where the error has none
	detail string // in place of the error's message, where that was not written for callers
}

var kinds = map[fault.Kind]row{
	fault.Internal: {status: http.StatusInternalServerError, title: "Something went wrong", reason: "INTERNAL",
		detail: "Something went wrong here. The request id leads to what is known about it."},
	fault.Invalid:         {status: http.StatusBadRequest, title: "The request is not valid", reason: "INVALID"},
	fault.NotFound:        {status: http.StatusNotFound, title: "Not found", reason: "NOT_FOUND"},
	fault.Conflict:        {status: http.StatusConflict, title: "Not possible as things stand", reason: "CONFLICT"},
	fault.Exhausted:       {status: http.StatusTooManyRequests, title: "A limit is used up", reason: "EXHAUSTED"},
	fault.Unauthenticated: {status: http.StatusUnauthorized, title: "Who are you?", reason: "UNAUTHENTICATED"},
	fault.Denied:          {status: http.StatusForbidden, title: "Not allowed", reason: "DENIED"},
	fault.Unavailable: {status: http.StatusServiceUnavailable, title: "Not available at the moment", reason: "UNAVAILABLE",
		detail: "What is behind this route does not answer at the moment."},
	fault.Deadline: {status: http.StatusGatewayTimeout, title: "It took too long", reason: "DEADLINE",
		detail: "The answer took longer than is allowed."},
	fault.Canceled: {status: StatusClientClosedRequest, title: "Given up by the caller", reason: "CANCELED",
		detail: "The request was given up."},
}

// reasons overrule the kind where HTTP has a more exact word.
var reasons = map[string]row{
	RouteNotFound:        {status: http.StatusNotFound, title: "No such route"},
	MethodNotAllowed:     {status: http.StatusMethodNotAllowed, title: "The route does not take this method"},
	UnsupportedMediaType: {status: http.StatusUnsupportedMediaType, title: "Not a media type this route takes"},
	PreconditionFailed:   {status: http.StatusPreconditionFailed, title: "A condition of the request does not hold"},
	OutOfRange:           {status: http.StatusRequestedRangeNotSatisfiable, title: "The range lies outside"},
	TooLarge:             {status: http.StatusRequestEntityTooLarge, title: "Too large"},
	URITooLong:           {status: http.StatusRequestURITooLong, title: "The address is too long"},
	Stalled:              {status: http.StatusRequestTimeout, title: "The request stopped coming"},

	"UNSUPPORTED_FORMAT":     {status: http.StatusUnsupportedMediaType, title: "Not an image format that is read here"},
	"IMAGE_TOO_LARGE":        {status: http.StatusRequestEntityTooLarge, title: "The image has too many pixels"},
	"BROKEN_IMAGE":           {status: http.StatusUnprocessableEntity, title: "The image is damaged"},
	"IDEMPOTENCY_KEY_REUSED": {status: http.StatusUnprocessableEntity, title: "The idempotency key came before with something else"},
	"STORAGE_FULL":           {status: http.StatusInsufficientStorage, title: "No room left"},
}

// lookup finds the row of an error, complete, and its reason.
func lookup(err error) (row, string) {
	kind := fault.KindOf(err)
	base := kinds[kind]
	reason := fault.ReasonOf(err)
	out, ok := reasons[reason]
	if !ok {
		out = base
	}
	out.detail = base.detail
	if reason == "" {
		reason = base.reason
	}
	out.kind = kind
	return out, reason
}
