package command

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	gateway "calotype/gateway/app"
	"calotype/kit/config"
	image "calotype/services/image/app"
)

// sign makes signed addresses. Keys come from the same variables as the gateway's, or from a file, and never from a flag.
type sign struct {
	*env
	keysFile, until string
	expires         time.Duration
}

func newSign(e *env) *cobra.Command {
	s := &sign{env: e}
	cmd := &cobra.Command{
		Use:   "sign OPTIONS/IMAGE.EXT...",
		Short: "Sign addresses of pictures on the fly",
		Long: "Sign addresses under /i/ with the first of the gateway's keys, which are read from CALOTYPE_SIGNING__KEYS,\n" +
			"from the file that CALOTYPE_SIGNING__KEYS_FILE names, or from that of --keys-file.",
		Example: "  calotype sign w_512,c_limit/img_01JC2V8T3Z9Q.webp --expires 24h",
		Args:    args(cobra.MinimumNArgs(1)),
		RunE:    func(_ *cobra.Command, paths []string) error { return s.run(paths) },
	}
	f := cmd.Flags()
	f.StringVar(&s.keysFile, "keys-file", "", "file with the keys, parted by commas; the first signs")
	f.DurationVar(&s.expires, "expires", 0, "how long the address is valid, for example 24h")
	f.StringVar(&s.until, "until", "", "until when it is valid, in RFC 3339, for example 2026-05-04T03:02:01Z")
	return cmd
}

func (s *sign) run(paths []string) error {
	end, err := s.end(time.Now())
	if err != nil {
		return usageError{err}
	}
	keys, err := s.keys()
	if err != nil {
		return err
	}
	signing := gateway.DefaultConfig().Signing
	signing.Keys = keys
	if bad := signing.Validate(); len(bad) > 0 {
		return fmt.Errorf("the keys: %s", bad[0].Message)
	}
	for _, path := range paths {
		if err := image.CheckAddress(strings.TrimPrefix(strings.TrimPrefix(path, "/i/"), "/")); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		address, err := signing.Address(path, end)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintln(s.out, address); err != nil {
			return err
		}
	}
	return nil
}

func (s *sign) end(now time.Time) (end time.Time, err error) {
	switch {
	case s.until != "" && s.expires != 0:
		return end, errors.New("--expires and --until are given; choose one")
	case s.expires < 0:
		return end, fmt.Errorf("--expires is %v, which is no time to come", s.expires)
	case s.expires > 0:
		return now.Add(s.expires), nil
	case s.until != "":
		if end, err = time.Parse(time.RFC3339, s.until); err != nil {
			return end, fmt.Errorf("--until is %q, which is no time as 2026-05-04T03:02:01Z is", s.until)
		}
	}
	return end, nil
}

func (s *sign) keys() (config.Secret, error) {
	const variable = "CALOTYPE_SIGNING__KEYS"
	file := s.keysFile
	if file == "" {
		if keys := os.Getenv(variable); keys != "" {
			return config.Secret(keys), nil
		}
		if file = os.Getenv(variable + "_FILE"); file == "" {
			return "", usageError{fmt.Errorf("there is no key to sign with; set %s, %s_FILE or --keys-file", variable, variable)}
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("read the keys: %w", err)
	}
	return config.Secret(strings.TrimSpace(string(text))), nil
}
