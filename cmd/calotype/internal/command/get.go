package command

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"calotype/cmd/calotype/internal/rest"
)

func newGet(e *env) *cobra.Command {
	var variant, options, output string
	var original bool
	cmd := &cobra.Command{
		Use:   "get IMAGE",
		Short: "Describe an image, or fetch its original, a variant, or a picture made on the fly",
		Example: "  calotype get img_01J...                                  what it is\n" +
			"  calotype get img_01J... --original -o cat.jpg            the bytes that were uploaded\n" +
			"  calotype get img_01J... --variant thumb -o thumb.webp    a finished variant\n" +
			"  calotype get img_01J... --options w_640,q_70 -o cat.avif made now; the name gives the format",
		Args: args(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, a []string) error {
			c, err := e.client()
			if err != nil {
				return err
			}
			path, err := getPath(a[0], original, variant, options, output)
			if err != nil {
				return usageError{err}
			}
			if path == "" {
				return e.describe(cmd.Context(), c, a[0])
			}
			return e.fetch(cmd.Context(), c, path, output)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&original, "original", false, "fetch the original")
	f.StringVar(&variant, "variant", "", "fetch the finished variant of this name")
	f.StringVar(&options, "options", "", "fetch a picture made by these options of the URL grammar")
	f.StringVarP(&output, "output", "o", "", "file to write; - is standard output")
	return cmd
}

// getPath is the route that answers what the flags ask for, or "" for the description.
func getPath(image string, original bool, variant, options, output string) (string, error) {
	asked := 0
	for _, b := range []bool{original, variant != "", options != ""} {
		if b {
			asked++
		}
	}
	switch {
	case asked > 1:
		return "", errors.New("--original, --variant and --options are different things; take one")
	case asked == 0 && output != "":
		return "", errors.New("-o needs one of --original, --variant and --options")
	case asked == 1 && output == "":
		return "", errors.New("a picture needs -o FILE, or -o - for standard output")
	case original:
		return rest.OriginalPath(image), nil
	case variant != "":
		return rest.VariantPath(image, variant), nil
	case options != "":
		ext := strings.TrimPrefix(filepath.Ext(output), ".")
		if output == "-" || ext == "" {
			ext = "jpg"
		}
		return rest.RenderPath(image, options, ext), nil
	}
	return "", nil
}

func (e *env) fetch(ctx context.Context, c *rest.Client, path, output string) error {
	if output == "-" {
		_, err := c.Fetch(ctx, path, e.out)
		return err
	}
	n, err := c.Download(ctx, path, output, "")
	if err != nil {
		return err
	}
	fmt.Fprintf(e.err, "%s  %s\n", output, size(n))
	return nil
}

func (e *env) describe(ctx context.Context, c *rest.Client, id string) error {
	im, err := c.Image(ctx, id)
	if err != nil {
		return err
	}
	if e.json {
		return e.print(im)
	}
	return e.table("IMAGE\t"+im.Id, func(row func(...any)) {
		row("file", im.Filename)
		row("size", size(im.Size))
		row("format", im.Format)
		row("pixels", fmt.Sprintf("%d x %d", im.Width, im.Height))
		row("pages", im.Pages)
		row("sha256", im.Digest)
		row("uploaded", age(im.CreateTime))
		row("original", c.URL(rest.OriginalPath(im.Id)))
	})
}
