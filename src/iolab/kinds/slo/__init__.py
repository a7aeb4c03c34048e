"""The highest rate of arrivals at which a service-level objective holds."""
