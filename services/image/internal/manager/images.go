package manager

import (
	"context"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"calotype/kit/fault"
	"calotype/services/image/internal/job"
)

const maxFilename = 255 // bytes that are kept

// Images is the register of originals.
type Images struct {
	desk      *desk
	overlays  overlays
	store     job.Images
	jobs      job.Jobs
	inspector Inspector
	blobs     Blobs
	book      *books
	wishes    wishes
	news      *news
}

// CreateImage asks for a stored blob to be registered, and for a job on it unless Work is none.
type CreateImage struct {
	Digest   job.Digest
	Filename string
	Key      string // the idempotency key; empty means none
	Work
	Wishes job.Wishes
	Keep   time.Duration // how long the image is kept; 0: until it is deleted
}

// Create registers a blob as an image and begins a job when one is asked for. See the contract for its errors.
func (u *Images) Create(ctx context.Context, req CreateImage) (_ Accepted, err error) {
	defer u.desk.counts.refused(&err)
	if !req.Digest.Valid() {
		return Accepted{}, wrong("BAD_DIGEST", fault.Field{Path: "digest", Message: "is not a sha256 in 64 lower-case hexadecimal digits"})
	}
	name := filename(req.Filename)
	if err := u.checkWishes(req); err != nil {
		return Accepted{}, err
	}
	sum, err := payload{Method: "images.create", Subject: string(req.Digest), Filename: name, Keep: req.Keep, Work: req.Work}.digest(req.Key, req.Wishes)
	if err != nil {
		return Accepted{}, err
	}
	if before, err := u.desk.earlier(ctx, req.Key, sum); err != nil {
		return Accepted{}, err
	} else if before != nil {
		return u.desk.answer(ctx, *before)
	}
	book := u.book.Load()
	if !req.None() {
		if _, err := book.check(req.Work); err != nil {
			return Accepted{}, err
		}
	}
	picture, err := u.inspector.Inspect(ctx, req.Digest)
	if err != nil {
		return Accepted{}, err
	}
	// The collector leaves what was just used alone, until the store knows why.
	if err := u.blobs.Touch(ctx, req.Digest); err != nil {
		return Accepted{}, err
	}
	now := u.desk.now()
	a := Accepted{Image: job.Image{ID: u.desk.ids.Image(now), Digest: req.Digest, Filename: name, Created: now, Picture: picture}}
	if req.Keep > 0 {
		a.Image.Expires = now.Add(req.Keep)
	}
	if !req.None() {
		r, err := book.resolve(req.Work, picture)
		if err == nil {
			r, err = u.overlays.fill(ctx, req.Work, r)
		}
		if err != nil {
			return Accepted{}, err
		}
		a.Job = u.desk.newJob(a.Image, r, req.Preset, req.Wishes)
	}
	return u.desk.accept(ctx, a, true, req.Key, sum)
}

func (u *Images) checkWishes(req CreateImage) error {
	var short, idle error
	if req.Keep != 0 && req.Keep < leastKept {
		short = wrong("BAD_OPTIONS", fault.Field{Path: "ttl", Message: "is shorter than 1 s"})
	}
	if req.None() && req.Wishes != (job.Wishes{}) {
		idle = wrong("BAD_OPTIONS", fault.Field{Path: "options", Message: "are given without a preset, a recipe or variants"})
	}
	return together(short, idle, u.wishes.check(req.Wishes))
}

// Get describes an image.
func (u *Images) Get(ctx context.Context, id job.ImageID) (job.Image, error) {
	return u.store.Image(ctx, id)
}

// List gives a page of images, the newest first, and the token for the next; "" at the end.
func (u *Images) List(ctx context.Context, size int, token string) ([]job.Image, string, error) {
	size, err := job.PageSize(size)
	if err != nil {
		return nil, "", err
	}
	after, err := job.ReadPageToken("images", "img_", token)
	if err != nil {
		return nil, "", err
	}
	found, err := u.store.Images(ctx, job.ImageID(after), size+1)
	if err != nil || len(found) <= size {
		return found, "", err
	}
	return found[:size], job.PageToken("images", string(found[size-1].ID)), nil
}

// Delete forgets an image with its jobs and their results. Jobs that have not ended end as cancelled: who watches one is told so, and
// what a node still reports about it is dropped. The bytes stay in storage, where other images may share them, until
// the collector finds that nothing refers to them.
func (u *Images) Delete(ctx context.Context, id job.ImageID) error {
	cancelled, err := u.store.Forget(ctx, id)
	u.desk.counts.forgotten(len(cancelled))
	for _, j := range cancelled {
		u.news.tell(j)
	}
	return err
}

// filename keeps what is harmless of a name that a stranger gave: no folders, no control characters, at most 255 bytes of UTF-8.
func filename(s string) string {
	s = strings.ToValidUTF8(strings.ReplaceAll(s, `\`, "/"), "\uFFFD")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return -1
		}
		return r
	}, s)
	if s = path.Base("/" + s); s == "/" || s == "." || s == ".." {
		return ""
	}
	if len(s) <= maxFilename {
		return s
	}
	cut := maxFilename
	for !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}
