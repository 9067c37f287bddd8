FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY Cargo.toml Cargo.lock ./
COPY src src
COPY migrations migrations
# The benchmarks are named in Cargo.toml and must exist for it to be read.
COPY benches benches
RUN cargo build --release --locked --bin number-manager

FROM debian:bookworm-slim
RUN useradd --system --home-dir /var/lib/number-manager --create-home number-manager
COPY --from=build /src/target/release/number-manager /usr/local/bin/number-manager
USER number-manager
WORKDIR /var/lib/number-manager
VOLUME /var/lib/number-manager
# In a container the port is published by whoever runs it, so here it listens on every address.
ENV NUMBER_MANAGER_LISTEN=0.0.0.0:8000 \
    NUMBER_MANAGER_DATA_DIR=/var/lib/number-manager/data \
    NUMBER_MANAGER_LOG_FORMAT=json
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=10s --retries=3 \
    CMD ["number-manager", "healthcheck"]
ENTRYPOINT ["number-manager"]
CMD ["serve"]
