module ringstream/deliver

go 1.26.0

require ringstream/schemas v0.0.0

require (
	github.com/cenkalti/backoff/v5 v5.0.3 // indirect
	github.com/kelseyhightower/envconfig v1.4.0 // indirect
	github.com/nyaruka/phonenumbers v1.8.1 // indirect
	go.uber.org/goleak v1.3.0 // indirect
	go.yaml.in/yaml/v3 v3.0.6 // indirect
	golang.org/x/oauth2 v0.37.0 // indirect
	golang.org/x/text v0.43.0 // indirect
	google.golang.org/protobuf v1.36.12 // indirect
)

replace ringstream/schemas => ../schemas
