"""The local stack: private PostgreSQL, Redis and Kafka, and the programs of Onrush."""
