package sqlite

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const imageColumns = "id, digest, filename, created, format, content_type, width, height, pages, has_alpha, orientation, size, expires"

func scanImage(row scanner) (im job.Image, err error) {
	var created int64
	var expires sql.NullInt64
	err = row.Scan(&im.ID, &im.Digest, &im.Filename, &created, &im.Format, &im.ContentType, &im.Width, &im.Height, &im.Pages,
		&im.HasAlpha, &im.Orientation, &im.Size, &expires)
	im.Created, im.Expires = when(created), nullWhen(expires)
	return im, err
}

func insertImage(ctx context.Context, tx *sql.Tx, im job.Image) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO images ("+imageColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
		im.ID, im.Digest, im.Filename, micros(im.Created), im.Format, im.ContentType, im.Width, im.Height, im.Pages,
		im.HasAlpha, im.Orientation, im.Size, nullMicros(im.Expires))
	return classify(err, "registering the image")
}

func noImage(id job.ImageID) error {
	return fault.New(fault.NotFound, "IMAGE_NOT_FOUND", "there is no image %q", id)
}

// Image implements job.Images.
func (s *Store) Image(ctx context.Context, id job.ImageID) (job.Image, error) {
	im, err := scanImage(s.reads.QueryRowContext(ctx, "SELECT "+imageColumns+" FROM images WHERE id = ?", id))
	if errors.Is(err, sql.ErrNoRows) {
		return job.Image{}, noImage(id)
	}
	return im, classify(err, "reading the image")
}

// Those implements job.Images.
func (s *Store) Those(ctx context.Context, ids []job.ImageID) (map[job.ImageID]job.Image, error) {
	found := make(map[job.ImageID]job.Image, len(ids))
	asked, err := json.Marshal(ids) // one parameter, however many there are
	if err != nil {
		return nil, fault.Wrap(err, fault.Internal, "", "the images cannot be looked up")
	}
	rows, err := s.reads.QueryContext(ctx, "SELECT "+imageColumns+" FROM images WHERE id IN (SELECT value FROM json_each(?))", string(asked))
	_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
		im, err := scanImage(row)
		found[im.ID] = im
		return none, err
	})
	return found, classify(err, "reading images")
}

// Images implements job.Images.
func (s *Store) Images(ctx context.Context, after job.ImageID, limit int) ([]job.Image, error) {
	if after == "" {
		after = "~" // sorts after every identifier
	}
	rows, err := s.reads.QueryContext(ctx, "SELECT "+imageColumns+" FROM images WHERE id < ? ORDER BY id DESC LIMIT ?", after, limit)
	found, err := all(rows, err, scanImage)
	return found, classify(err, "listing images")
}

// Result implements job.Images. Only succeeded jobs have results.
func (s *Store) Result(ctx context.Context, id job.ImageID, name string) (job.Result, error) {
	r, err := scanResult(s.reads.QueryRowContext(ctx,
		"SELECT "+resultColumns+" FROM results WHERE image_id = ? AND name = ? ORDER BY job_id DESC LIMIT 1", id, name))
	if errors.Is(err, sql.ErrNoRows) {
		return job.Result{}, fault.New(fault.NotFound, "VARIANT_NOT_FOUND", "the image %q has no variant %q", id, name)
	}
	return r, classify(err, "looking for the variant")
}

// Forget implements job.Images; what belongs to the image goes by its foreign keys.
func (s *Store) Forget(ctx context.Context, id job.ImageID) (unfinished []job.ID, err error) {
	err = s.write.tx(ctx, func(ctx context.Context, tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT id FROM jobs WHERE image_id = ? AND state IN ('scheduled', 'queued', 'running') ORDER BY id", id)
		unfinished, err = all(rows, err, scan[job.ID])
		if err != nil {
			return classify(err, "looking for the image's jobs")
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM images WHERE id = ?", id)
		return classify(err, "forgetting the image")
	})
	if err != nil {
		return nil, err
	}
	return unfinished, nil
}
