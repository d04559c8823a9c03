package serve

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"connectrpc.com/connect"
	"connectrpc.com/grpcreflect"
	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"croft"
	"croft/internal/oip"
)

const inferenceService = "inference.GRPCInferenceService"

// rpcOptions hold for each call: messages read in bounded memory, and not compressed, so
// that what arrives, which is bounded, is what is there.
var rpcOptions = connect.WithHandlerOptions(connect.WithCodec(oip.Codec{}), connect.WithCompression("gzip", nil, nil))

// grpc adds the calls of the Open Inference Protocol over gRPC: what [Dialects.inference]
// answers, and reflection, by which clients learn of the messages. A request becomes
// the JSON that crosses the network; nothing is decided here.
func (d Dialects) grpc(mux *http.ServeMux) {
	rpc(d, mux, "ServerLive", func(context.Context, http.Header, *oip.ServerLiveRequest) (*oip.ServerLiveResponse, Offer, error) {
		return &oip.ServerLiveResponse{Live: true}, Offer{}, nil
	})
	rpc(d, mux, "ServerReady", func(context.Context, http.Header, *oip.ServerReadyRequest) (*oip.ServerReadyResponse, Offer, error) {
		return &oip.ServerReadyResponse{Ready: true}, Offer{}, nil
	})
	rpc(d, mux, "ServerMetadata", func(context.Context, http.Header, *oip.ServerMetadataRequest) (*oip.ServerMetadataResponse, Offer, error) {
		return &oip.ServerMetadataResponse{Name: serverName, Version: croft.EngineVersion}, Offer{}, nil
	})
	rpc(d, mux, "ModelReady", func(_ context.Context, h http.Header, m *oip.ModelReadyRequest) (*oip.ModelReadyResponse, Offer, error) {
		o, err := d.model(h, m.Name, m.Version)
		return &oip.ModelReadyResponse{Ready: true}, o, err
	})
	rpc(d, mux, "ModelMetadata", func(ctx context.Context, h http.Header, m *oip.ModelMetadataRequest) (*oip.ModelMetadataResponse, Offer, error) {
		of, o, err := d.describe(ctx, h, m.Name, m.Version)
		return &oip.ModelMetadataResponse{Name: of.Name, Versions: of.Versions, Platform: of.Platform, Inputs: tensors(of.Inputs), Outputs: tensors(of.Outputs)}, o, err
	})
	rpc(d, mux, "ModelInfer", func(ctx context.Context, h http.Header, m *oip.ModelInferRequest) (*oip.ModelInferResponse, Offer, error) {
		in, err := readRequest(m)
		if err != nil {
			return nil, Offer{}, err
		}
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, Offer{}, err
		}
		answer, o, err := d.predict(ctx, h, m.ModelName, m.ModelVersion, raw)
		if err != nil {
			return nil, o, err
		}
		out, err := writeAnswer(answer, len(m.RawInputContents) > 0)
		return out, o, err
	})
	reflector := grpcreflect.NewStaticReflector(inferenceService)
	path, handler := grpcreflect.NewHandlerV1(reflector, rpcOptions)
	onlyGRPC(mux, path, handler)
	path, handler = grpcreflect.NewHandlerV1Alpha(reflector, rpcOptions)
	onlyGRPC(mux, path, handler)
}

// rpc adds one call of the service.
func rpc[In, Out any](d Dialects, mux *http.ServeMux, name string, do func(context.Context, http.Header, *In) (*Out, Offer, error)) {
	path := "/" + inferenceService + "/" + name
	onlyGRPC(mux, path, connect.NewUnaryHandler(path, func(ctx context.Context, r *connect.Request[In]) (*connect.Response[Out], error) {
		out, o, err := do(ctx, r.Header(), r.Msg)
		if err != nil {
			return nil, rpcError(d.told(ctx, path, err), o)
		}
		return connect.NewResponse(out), nil
	}, rpcOptions))
}

func tensors(of []Tensor) (out []*oip.ModelMetadataResponse_TensorMetadata) {
	for _, t := range of {
		out = append(out, &oip.ModelMetadataResponse_TensorMetadata{Name: t.Name, Datatype: t.Datatype, Shape: shape64(t.Shape)})
	}
	return out
}

// onlyGRPC adds a handler for gRPC over HTTP/2. What connect would serve besides
// (gRPC-Web, JSON) is for pages in browsers, which may not call.
func onlyGRPC(mux *http.ServeMux, path string, h http.Handler) {
	mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		if !isGRPC(r) || r.ProtoMajor < 2 {
			http.Error(w, "call this with gRPC over HTTP/2; for JSON there is /v2: see GET /openapi.json", http.StatusUnsupportedMediaType)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func isGRPC(r *http.Request) bool {
	kind := r.Header.Get("Content-Type")
	return kind == "application/grpc" || kind == "application/grpc+proto"
}

// rpcErrors writes a failure that is known before a call begins.
var rpcErrors = connect.NewErrorWriter()

// rpcError is a failure as a google.rpc.Status. Clients try some codes again, so those
// are chosen by what that would cost; the word that HTTP's callers get is the reason
// in a google.rpc.ErrorInfo, and what HTTP says in headers is said in metadata.
func rpcError(err error, o Offer) *connect.Error {
	_, word := status(err)
	out := connect.NewError(rpcCodes[word], errors.New(err.Error()))
	head(out.Meta(), err, o)
	out.Meta().Del("WWW-Authenticate") // HTTP allows it no place after an answer
	info := &errdetails.ErrorInfo{Reason: strings.ToUpper(word), Domain: serverName, Metadata: map[string]string{"code": croft.CodeOf(err).Error()}}
	if next := croft.Next(err); next != "" {
		info.Metadata["next"] = next
	}
	if detail, err := connect.NewErrorDetail(info); err == nil { // always: it is a message
		out.AddDetail(detail)
	}
	return out
}

// rpcCodes are gRPC's codes of the words of function status. What waiting does not
// mend is FailedPrecondition, never Aborted or Unavailable.
var rpcCodes = map[string]connect.Code{
	"invalid_request":     connect.CodeInvalidArgument,
	"invalid_value":       connect.CodeInvalidArgument,
	"request_too_large":   connect.CodeResourceExhausted, // as gRPC itself says it
	"invalid_api_key":     connect.CodeUnauthenticated,
	"payment_required":    connect.CodeFailedPrecondition,
	"consent_denied":      connect.CodePermissionDenied,
	"denied":              connect.CodePermissionDenied,
	"model_not_found":     connect.CodeNotFound,
	"refused":             connect.CodeFailedPrecondition,
	"rate_limit_exceeded": connect.CodeResourceExhausted,
	"unavailable":         connect.CodeUnavailable,
	"timeout":             connect.CodeDeadlineExceeded,
	"engine_failed":       connect.CodeInternal,
	"internal_error":      connect.CodeInternal,
}
