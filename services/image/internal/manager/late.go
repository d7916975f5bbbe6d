package manager

import (
	"context"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

// lost reports whether bytes are gone that a report tells of. Results are put before they are reported, so for a while they
// are too young to be collected; of a report that comes late, since no manager ran, they are touched before the store refers to them.
func (r *Reports) lost(ctx context.Context, report job.Report) (bool, error) {
	if report.Kind != job.Finished || r.now().Sub(report.Time) < r.late {
		return false, nil
	}
	for _, result := range report.Results {
		err := r.blobs.Touch(ctx, result.Digest)
		if err != nil && fault.Is(err, fault.NotFound) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, nil
}
