"""The local user pool, faithful to Amazon Cognito."""
