# Run once by the image of PostgreSQL in an empty data folder: the roles of postgresql.md, and the database.
psql -v ON_ERROR_STOP=1 -v owner="$OWNER_PASSWORD" -v serving="$SERVING_PASSWORD" -U postgres <<'SQL'
CREATE ROLE gateway_owner LOGIN PASSWORD :'owner';
CREATE ROLE gateway LOGIN PASSWORD :'serving';
CREATE DATABASE gateway OWNER gateway_owner ENCODING 'UTF8' TEMPLATE template0;
SQL
