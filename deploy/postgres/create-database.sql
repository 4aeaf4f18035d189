-- Run once, on an empty data folder, as the superuser: Sluice itself owns its database and nothing else.
\set password `cat /run/secrets/postgres_password`
CREATE ROLE sluice LOGIN PASSWORD :'password';
CREATE DATABASE sluice OWNER sluice;
