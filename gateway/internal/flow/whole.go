package flow

import (
	"net/http"
	"time"

	"calotype/gateway/internal/problem"
	"calotype/kit/fault"
)

// Whole writes what is in memory already, and gives up on a client that takes no byte for as long as patience.
func Whole(w http.ResponseWriter, r *http.Request, patience time.Duration, data []byte) {
	control := http.NewResponseController(w)
	if err := write(w, control, patience, data); err != nil {
		problem.Abort(r, fault.Wrap(err, fault.Canceled, "", "the client takes no more"))
	}
	_ = control.SetWriteDeadline(time.Time{})
}
