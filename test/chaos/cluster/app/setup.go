package app

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"net/http"
	"net/url"
	"strings"
	"time"

	imagev1 "calotype/proto/image/v1"
	"calotype/test/caller"
)

const (
	pictures = 8
	beat     = 200 * time.Millisecond // between questions whether something has come true
	patience = 2 * time.Minute        // for what a healthy cluster does in seconds
)

// prepare uploads the pictures while all is well, and learns what each variant's bytes are.
func (w *world) prepare(ctx context.Context, webhook string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	w.query = url.Values{"variants": {"small:w_120,f_webp,q_80", "square:w_64,h_64,c_fill,f_jpg"}}
	if webhook != "" {
		w.query.Set("webhook_url", webhook)
	}
	w.cached = map[string]string{}
	for n := range pictures {
		data, err := picture(n)
		if err != nil {
			return err
		}
		w.pictures = append(w.pictures, data)
		id, want, err := w.learn(ctx, data)
		if err != nil && n == 0 && webhook != "" && strings.Contains(err.Error(), "webhook_url") {
			return fmt.Errorf("the managers may not send webhooks to %s: start the cluster with WEBHOOKS_ALLOW=<its network>: %w", webhook, err)
		}
		if err != nil {
			return fmt.Errorf("learning what picture %d gives: %w", n, err)
		}
		w.images, w.want = append(w.images, id), append(w.want, want)
		if err := w.fill(ctx, fmt.Sprintf("/i/w_%d/%s.jpg", 60+n, id)); err != nil {
			return err
		}
	}
	w.photo = w.images[0]
	// The same picture with a comment in it must give the same variants, or the ledger would be wrong.
	_, unique := w.unique(-pictures)
	if _, want, err := w.learn(ctx, unique); err != nil || fmt.Sprint(want) != fmt.Sprint(w.want[0]) {
		return fmt.Errorf("a comment changes a picture's variants: %v is not %v, %w", want, w.want[0], err)
	}
	return nil
}

// learn has a picture processed and gives the image and its results' digests.
func (w *world) learn(ctx context.Context, data []byte) (id string, want map[string]string, _ error) {
	a, err := w.Upload(ctx, "", w.query, data)
	if err != nil {
		return "", nil, err
	}
	made, err := a.Created()
	if err != nil {
		return "", nil, err
	}
	want = map[string]string{}
	return made.GetImage().GetId(), want, caller.Until(ctx, beat, func(ctx context.Context) error {
		j := &imagev1.Job{}
		if err := w.Fetch(ctx, "/v1/jobs/"+made.GetJob().GetId(), j); err != nil {
			return err
		}
		if j.GetState() != imagev1.Job_SUCCEEDED {
			return fmt.Errorf("its job is %v: %v", j.GetState(), j.GetFailure())
		}
		for _, r := range j.GetResults() {
			want[r.GetName()] = r.GetDigest()
		}
		return nil
	})
}

// fill asks for a picture on the fly, whose bytes are the right ones from now on.
func (w *world) fill(ctx context.Context, path string) error {
	a, err := w.Get(ctx, path)
	if err == nil && a.Status != http.StatusOK {
		err = errors.New(a.String())
	}
	sum := sha256.Sum256(a.Body)
	w.cached[path] = hex.EncodeToString(sum[:])
	w.paths = append(w.paths, path)
	return err
}

// picture makes a small one, so that the load is the machinery's and not the encoders'; each number's is another.
func picture(n int) ([]byte, error) {
	im := image.NewRGBA(image.Rect(0, 0, 480+10*n, 360))
	for y := range im.Rect.Dy() {
		for x := range im.Rect.Dx() {
			im.Set(x, y, color.RGBA{uint8(x * (n + 1)), uint8(y), uint8(x ^ y), 255})
		}
	}
	var b bytes.Buffer
	err := jpeg.Encode(&b, im, nil)
	return b.Bytes(), err
}
