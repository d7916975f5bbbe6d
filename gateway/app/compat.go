package app

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"calotype/gateway/internal/compat"
	"calotype/gateway/internal/imgproxy"
	"calotype/gateway/internal/onthefly"
	"calotype/gateway/internal/thumbor"
	"calotype/kit/config"
	"calotype/kit/fault"
	imagev1 "calotype/proto/image/v1"
)

// CompatConfig says which addresses of other picture servers are served.
type CompatConfig struct {
	Sources  string         `koanf:"sources" doc:"a file of lines \"address image\": the images that stand for originals' addresses in those of other servers; read at the start"`
	Imgproxy ImgproxyConfig `koanf:"imgproxy"`
	Thumbor  ThumborConfig  `koanf:"thumbor"`
}

// ImgproxyConfig says whether imgproxy's addresses are served.
type ImgproxyConfig struct {
	Enabled  bool          `koanf:"enabled" doc:"whether imgproxy's addresses are served"`
	Prefix   string        `koanf:"prefix" doc:"what stands before imgproxy's addresses, with a slash at either end"`
	Key      config.Secret `koanf:"key" doc:"imgproxy's keys in hexadecimal, parted by commas: any verifies"`
	Salt     config.Secret `koanf:"salt" doc:"imgproxy's salts in hexadecimal, parted by commas, one for each key"`
	Unsigned bool          `koanf:"unsigned" doc:"whether imgproxy's addresses are served without a signature"`
	// The option watermark has its image from here.
	Watermark string  `koanf:"watermark" doc:"the image that imgproxy's option watermark puts upon pictures, as img_01JC..."`
	Opacity   float64 `koanf:"watermark_opacity" doc:"how much of it shows, 0 to 1, where the option says 1"`

	Presets []string `koanf:"presets" doc:"imgproxy's presets, each as name=options; that of the name default comes before all options"`
}

// ThumborConfig says whether thumbor's and imagor's addresses are served.
type ThumborConfig struct {
	Enabled  bool          `koanf:"enabled" doc:"whether thumbor's and imagor's addresses are served"`
	Prefix   string        `koanf:"prefix" doc:"what stands before thumbor's addresses, with a slash at either end"`
	Key      config.Secret `koanf:"key" doc:"thumbor's security key"`
	Unsigned bool          `koanf:"unsigned" doc:"whether thumbor's addresses are served that begin with unsafe"`
}

var prefixes = regexp.MustCompile(`^/[a-z0-9_-]+/$`)

// taken are the prefixes of our own routes.
var taken = []string{"/v1/", "/i/", "/static/", "/docs/", "/healthz/", "/readyz/", "/metrics/"}

func checkPrefix(prefix string) []fault.Field {
	if !prefixes.MatchString(prefix) || slices.Contains(taken, prefix) {
		return []fault.Field{{Path: "prefix", Message: fmt.Sprintf("%q is no prefix such as /old/ that is still free", prefix)}}
	}
	return nil
}

const needsKey = "without a key, everybody may have everything made: set the key, or unsigned to true"

// Validate checks the prefix, the keys and that presets can be read.
func (c ImgproxyConfig) Validate() []fault.Field {
	if !c.Enabled {
		return nil
	}
	fs := checkPrefix(c.Prefix)
	keys, err := c.keys()
	if err != nil {
		fs = append(fs, fault.Field{Path: "key", Message: err.Error()})
	} else if len(keys) == 0 && !c.Unsigned {
		fs = append(fs, fault.Field{Path: "key", Message: needsKey})
	}
	if c.Watermark != "" && !compat.IsImage(c.Watermark) {
		fs = append(fs, fault.Field{Path: "watermark", Message: fmt.Sprintf("%q is no image's id, as img_01JC... is", c.Watermark)})
	}
	if !(c.Opacity > 0 && c.Opacity <= 1) {
		fs = append(fs, fault.Field{Path: "watermark_opacity", Message: fmt.Sprintf("%g is not above 0 and up to 1", c.Opacity)})
	}
	anything := func(string) (string, error) { return "img_any", nil }
	presets := c.presets()
	for i, p := range c.Presets {
		name, options, ok := strings.Cut(p, "=")
		if !ok || name == "" || options == "" {
			fs = append(fs, fault.Field{Path: fmt.Sprintf("presets[%d]", i), Message: fmt.Sprintf("%q is not name=options", p)})
		} else if _, err := (imgproxy.Reader{Presets: presets, Now: time.Now, Find: anything, Watermark: "img_any"}).Read("/unsafe/preset:" + name + "/plain/x"); err != nil {
			fs = append(fs, fault.Field{Path: fmt.Sprintf("presets[%d]", i), Message: fault.As(err).Message})
		}
	}
	return fs
}

// Validate checks the prefix and that there is a key.
func (c ThumborConfig) Validate() []fault.Field {
	if !c.Enabled {
		return nil
	}
	fs := checkPrefix(c.Prefix)
	if c.Key.Reveal() == "" && !c.Unsigned {
		fs = append(fs, fault.Field{Path: "key", Message: needsKey})
	}
	return fs
}

// Validate checks that the two do not stand in each other's way.
func (c CompatConfig) Validate() []fault.Field {
	if c.Imgproxy.Enabled && c.Thumbor.Enabled && c.Imgproxy.Prefix == c.Thumbor.Prefix {
		return []fault.Field{{Path: "thumbor.prefix", Message: "it is imgproxy's"}}
	}
	return nil
}

// keys pairs keys with salts.
func (c ImgproxyConfig) keys() (keys []imgproxy.Key, err error) {
	texts, salts := list(c.Key), list(c.Salt)
	if len(texts) != len(salts) {
		return nil, fmt.Errorf("there are %d keys and %d salts", len(texts), len(salts))
	}
	for i := range texts {
		var k imgproxy.Key
		if k.Key, err = hex.DecodeString(texts[i]); err == nil {
			k.Salt, err = hex.DecodeString(salts[i])
		}
		if err != nil {
			return nil, fmt.Errorf("key or salt %d is not hexadecimal", i+1)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

func list(s config.Secret) []string {
	return strings.FieldsFunc(s.Reveal(), func(c rune) bool { return c == ',' || c == ' ' || c == '\n' })
}

func (c ImgproxyConfig) presets() map[string]string {
	presets := map[string]string{}
	for _, p := range c.Presets {
		name, options, _ := strings.Cut(p, "=")
		presets[name] = options
	}
	return presets
}

// compatible makes the handlers of other servers' addresses. Original serves originals by the path value "id".
func compatible(cfg Config, images imagev1.ImagesService, fly *onthefly.Handler, original http.Handler) ([]*compat.Handler, error) {
	c := cfg.Compat
	if !c.Imgproxy.Enabled && !c.Thumbor.Enabled {
		return nil, nil
	}
	var sources compat.Sources
	if c.Sources != "" {
		var err error
		if sources, err = compat.ReadSources(c.Sources); err != nil {
			return nil, err
		}
	}
	var handlers []*compat.Handler
	add := func(prefix string, dialect compat.Dialect) {
		handlers = append(handlers, &compat.Handler{Prefix: prefix, Dialect: dialect, Sources: sources, Images: images, Fly: fly, Original: original, Timeout: cfg.Timeouts.Request})
	}
	if c.Imgproxy.Enabled {
		keys, err := c.Imgproxy.keys()
		if err != nil {
			return nil, err
		}
		add(c.Imgproxy.Prefix, imgproxy.Reader{Keys: keys, Unsigned: c.Imgproxy.Unsigned, Presets: c.Imgproxy.presets(), Now: time.Now,
			Find: sources.Find, Watermark: c.Imgproxy.Watermark, Opacity: c.Imgproxy.Opacity})
	}
	if c.Thumbor.Enabled {
		add(c.Thumbor.Prefix, thumbor.Reader{Key: []byte(c.Thumbor.Key.Reveal()), Unsigned: c.Thumbor.Unsigned, Find: sources.Find, Now: time.Now})
	}
	return handlers, nil
}

// before serves other servers' addresses, and leaves all else to the router: sources hold "//", which it would clean away.
func before(handlers []*compat.Handler, router http.Handler) http.Handler {
	if len(handlers) == 0 {
		return router
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, h := range handlers {
			if h.Mine(r) {
				get(h).ServeHTTP(w, r)
				return
			}
		}
		router.ServeHTTP(w, r)
	})
}
