// Command decode reads Kubernetes manifests, YAML documents, from its standard input and decodes each strictly into the types that those who read them have:
// an unknown field, one that is given twice, and a value that its type does not take are told, one a line, and make it fail. Kinds that
// are neither Kubernetes' own nor of Prometheus' operator (keda.sh) are passed over. It is a module of its own, so that no other has these dependencies.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	monitoringv1 "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
)

// foreign is the group of KEDA, whose types come with a whole operator: the tests hold them against its resources' definitions.
const foreign = "keda.sh/"

func main() {
	faults, err := decode(os.Stdin)
	for _, f := range faults {
		fmt.Println(f)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || len(faults) > 0 {
		os.Exit(1)
	}
}

func decode(r io.Reader) (faults []string, err error) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{appsv1.AddToScheme, autoscalingv2.AddToScheme, corev1.AddToScheme, networkingv1.AddToScheme, policyv1.AddToScheme, monitoringv1.AddToScheme} {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(r))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return faults, nil
		}
		if err != nil {
			return faults, err
		}
		var head struct {
			APIVersion string `json:"apiVersion"`
			Kind       string `json:"kind"`
			Metadata   struct {
				Name string `json:"name"`
			} `json:"metadata"`
		}
		if err := yaml.Unmarshal(document, &head); err != nil {
			faults = append(faults, fmt.Sprintf("document %d: %v", n, err))
			continue
		}
		if head.Kind == "" || strings.HasPrefix(head.APIVersion, foreign) {
			continue
		}
		if _, _, err := decoder.Decode(document, nil, nil); err != nil {
			faults = append(faults, fmt.Sprintf("%s %s: %v", head.Kind, head.Metadata.Name, err))
		}
	}
}
