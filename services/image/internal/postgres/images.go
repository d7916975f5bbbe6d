package postgres

import (
	"context"
	"database/sql"
	"errors"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const imageColumns = "id, digest, filename, created, format, content_type, width, height, pages, has_alpha, orientation, size, expires"

func scanImage(row scanner) (im job.Image, err error) {
	var expires sql.NullTime
	err = row.Scan(&im.ID, &im.Digest, &im.Filename, &im.Created, &im.Format, &im.ContentType, &im.Width, &im.Height, &im.Pages,
		&im.HasAlpha, &im.Orientation, &im.Size, &expires)
	im.Created, im.Expires = im.Created.UTC(), when(expires)
	return im, err
}

func noImage(id job.ImageID) error {
	return fault.New(fault.NotFound, "IMAGE_NOT_FOUND", "there is no image %q", id)
}

// Image implements job.Images.
func (s *Store) Image(ctx context.Context, id job.ImageID) (im job.Image, err error) {
	err = s.read(ctx, "reading the image", func(ctx context.Context) error {
		im, err = scanImage(s.db.QueryRowContext(ctx, "SELECT "+imageColumns+" FROM images WHERE id = $1", text(id)))
		if errors.Is(err, sql.ErrNoRows) {
			return noImage(id)
		}
		return err
	})
	if err != nil {
		return job.Image{}, err
	}
	return im, nil
}

// Those implements job.Images.
func (s *Store) Those(ctx context.Context, ids []job.ImageID) (map[job.ImageID]job.Image, error) {
	found := make(map[job.ImageID]job.Image, len(ids))
	err := s.read(ctx, "reading images", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, "SELECT "+imageColumns+" FROM images WHERE id = ANY($1::text[])", texts(ids))
		_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
			im, err := scanImage(row)
			found[im.ID] = im
			return none, err
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// Images implements job.Images.
func (s *Store) Images(ctx context.Context, after job.ImageID, limit int) (found []job.Image, err error) {
	query, args := "SELECT "+imageColumns+" FROM images ORDER BY id DESC LIMIT $1", []any{limit}
	if after != "" {
		query, args = "SELECT "+imageColumns+" FROM images WHERE id < $2 ORDER BY id DESC LIMIT $1", append(args, text(after))
	}
	err = s.read(ctx, "listing images", func(ctx context.Context) error {
		rows, err := s.db.QueryContext(ctx, query, args...)
		found, err = all(rows, err, scanImage)
		return err
	})
	return found, err
}

// Result implements job.Images. Only succeeded jobs have results.
func (s *Store) Result(ctx context.Context, id job.ImageID, name string) (r job.Result, err error) {
	err = s.read(ctx, "looking for the variant", func(ctx context.Context) error {
		r, err = scanResult(s.db.QueryRowContext(ctx,
			"SELECT "+resultColumns+" FROM results WHERE image_id = $1 AND name = $2 ORDER BY job_id DESC LIMIT 1", text(id), text(name)))
		if errors.Is(err, sql.ErrNoRows) {
			return fault.New(fault.NotFound, "VARIANT_NOT_FOUND", "the image %q has no variant %q", id, name)
		}
		return err
	})
	if err != nil {
		return job.Result{}, err
	}
	return r, nil
}

// Forget implements job.Images. No job can come while the image is locked, and none of its jobs can change once they are.
func (s *Store) Forget(ctx context.Context, id job.ImageID) (unfinished []job.ID, err error) {
	err = s.once(ctx, "forgetting the image", func(ctx context.Context, tx *sql.Tx, token string) (bool, error) {
		var there bool
		err := tx.QueryRowContext(ctx, "SELECT true FROM images WHERE id = $1 FOR UPDATE", text(id)).Scan(&there)
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		unfinished = nil
		var jobs []string
		rows, err := tx.QueryContext(ctx, "SELECT id, state FROM jobs WHERE image_id = $1 ORDER BY id FOR UPDATE", text(id))
		_, err = all(rows, err, func(row scanner) (none struct{}, _ error) {
			var j job.Job
			err := row.Scan(&j.ID, &j.State)
			jobs = append(jobs, string(j.ID))
			if !j.State.Ended() {
				unfinished = append(unfinished, j.ID)
			}
			return none, err
		})
		if err != nil {
			return false, err
		}
		_, err = tx.ExecContext(ctx, "WITH gone AS (DELETE FROM jobs WHERE id = ANY($1::text[]) RETURNING id, image_id, class, tenant),"+belongings+" INSERT INTO outcomes (token) VALUES ($2)", jobs, token)
		if err != nil {
			return false, err
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM images WHERE id = $1", text(id))
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return unfinished, nil
}
