//go:build cluster

package cluster

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"calotype/test/caller"
)

// unique is a word that nobody has used.
func unique() string { return strings.ToLower(rand.Text()[:12]) }

// secret reads one of the cluster's secrets.
func secret(t *testing.T, name string) string {
	t.Helper()
	return strings.TrimSpace(string(content(t, filepath.Join(env("E2E_SECRETS", "../../../deploy/secrets"), name))))
}

// keys are what addresses are signed with; none when they need no signature.
func keys(t *testing.T) []string {
	return strings.FieldsFunc(secret(t, "signing-keys"), func(r rune) bool { return r == ',' || r == '\n' })
}

// onTheFly is the address of a picture on the fly, signed where it must be.
func onTheFly(t *testing.T, path string) string {
	t.Helper()
	all := keys(t)
	if len(all) == 0 {
		return "/i/" + path
	}
	return "/i/" + signature(all[0], path) + path
}

func signature(key, path string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(path))
	return "s--" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)) + "--/"
}

// TestOneFill has many ask for the same new picture at once: it is made once, all get the same bytes, and the next is served from the cache.
func TestOneFill(t *testing.T) {
	c := front(t)
	path := onTheFly(t, "w_300,h_200,c_fill,g_auto/"+upload(t, c, "", nil, picture(t, "photo.jpg")).Image.Id+".jpg")
	const askers = 24
	answers := make([]caller.Answer, askers)
	var g errgroup.Group
	for i := range askers {
		g.Go(func() (err error) {
			answers[i], err = c.Get(within(t, patience), path)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	states := map[string]int{}
	for _, a := range answers {
		states[a.Header.Get("X-Cache-Status")]++
		if a.Status != http.StatusOK || !bytes.Equal(a.Body, answers[0].Body) {
			t.Errorf("%d, %d bytes", a.Status, len(a.Body))
		}
	}
	if states["MISS"] != 1 || states["HIT"] != askers-1 {
		t.Errorf("the cache says %v", states)
	}
	if a := get(t, c, path); a.Header.Get("X-Cache-Status") != "HIT" || !bytes.Equal(a.Body, answers[0].Body) || a.Header.Get("Etag") == "" {
		t.Errorf("afterwards: %v %s", a.Header, a.Header.Get("X-Cache-Status"))
	}
}

// TestFormatByAccept asks for the same address as browsers of several ages do.
func TestFormatByAccept(t *testing.T) {
	c := front(t)
	path := onTheFly(t, "w_120,f_auto/"+upload(t, c, "", nil, picture(t, "photo.jpg")).Image.Id+".jpg")
	for range 2 { // the second time from the cache
		for accept, want := range map[string]string{"image/avif,image/webp,*/*": "image/avif", "image/webp,*/*": "image/webp", "*/*": "image/jpeg"} {
			a, err := c.Send(within(t, patience), http.MethodGet, path, http.Header{"Accept": {accept}}, nil)
			if err != nil || a.Status != http.StatusOK || a.Header.Get("Content-Type") != want {
				t.Errorf("%s: %v, %d %s", accept, err, a.Status, a.Header.Get("Content-Type"))
			}
		}
	}
}

// TestSignatures looks at which addresses are served. Where the cluster has no keys, a signature is not needed and does not harm.
func TestSignatures(t *testing.T) {
	c := front(t)
	path := "w_99/" + upload(t, c, "", nil, picture(t, "photo.jpg")).Image.Id + ".jpg"
	all := keys(t)
	bare, wrong, right := http.StatusOK, http.StatusOK, http.StatusOK
	key := "no key"
	if len(all) > 0 {
		bare, wrong, key = http.StatusForbidden, http.StatusForbidden, all[0]
	}
	for address, want := range map[string]int{"/i/" + path: bare, "/i/" + signature("another key", path) + path: wrong, "/i/" + signature(key, path) + path: right} {
		if a := get(t, c, address); a.Status != want {
			t.Errorf("%d keys, %s: %v, not %d", len(all), address, a, want)
		}
	}
}

// TestStoredAgain uploads the same bytes again: they are the same blob.
func TestStoredAgain(t *testing.T) {
	c := front(t)
	data := picture(t, "photo.webp")
	sum := sha256.Sum256(data)
	for range 2 {
		if im := upload(t, c, "", nil, data).Image; im.Digest != hex.EncodeToString(sum[:]) || im.Size != int64(len(data)) {
			t.Errorf("it is %v", im)
		}
	}
	eventually(t, "the cluster tells that it is ready", func(ctx context.Context) error {
		a, err := c.Get(ctx, "/readyz")
		if err == nil && a.Status != http.StatusOK {
			err = fmt.Errorf("%v", a)
		}
		return err
	})
}
