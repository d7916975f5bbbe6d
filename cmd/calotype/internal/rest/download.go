package rest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
)

// OriginalPath, VariantPath and RenderPath are the routes pictures are fetched from.
func OriginalPath(image string) string { return "/v1/images/" + url.PathEscape(image) + "/original" }

// VariantPath is the route of a finished result.
func VariantPath(image, name string) string {
	return "/v1/images/" + url.PathEscape(image) + "/variants/" + url.PathEscape(name)
}

// RenderPath is the route that makes a picture on the fly; options are of the URL grammar, ext gives the format.
func RenderPath(image, options, ext string) string {
	return "/i/" + strings.Trim(options, "/") + "/" + url.PathEscape(image) + "." + ext
}

// Download writes what path answers to a file: to a temporary name first, so that a file under its own name is whole. A digest,
// where one is given, must be the sha256 of what came.
func (c *Client) Download(ctx context.Context, path, file, digest string) (int64, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path, repeatable: true})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return 0, err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".calotype-*")
	if err != nil {
		return 0, err
	}
	defer os.Remove(tmp.Name())
	sum := sha256.New()
	n, err := io.Copy(io.MultiWriter(tmp, sum), resp.Body)
	if err == nil && digest != "" && hex.EncodeToString(sum.Sum(nil)) != digest {
		err = fmt.Errorf("%s: what arrived is not what the server made (sha256 differs)", path)
	}
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if cerr := tmp.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), file)
	}
	return n, err
}

// Fetch writes what path answers to w.
func (c *Client) Fetch(ctx context.Context, path string, w io.Writer) (int64, error) {
	resp, err := c.do(ctx, request{method: http.MethodGet, path: path, repeatable: true})
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	return io.Copy(w, resp.Body)
}
