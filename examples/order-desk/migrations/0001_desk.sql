CREATE TABLE customers (
  id text PRIMARY KEY NOT NULL,
  email text NOT NULL UNIQUE,
  name text NOT NULL
);
CREATE TABLE products (
  id text PRIMARY KEY NOT NULL,
  name text NOT NULL,
  price integer NOT NULL,
  stock integer NOT NULL CHECK (stock >= 0)
);
CREATE TABLE orders (
  id text PRIMARY KEY NOT NULL,
  customer_id text NOT NULL REFERENCES customers(id),
  placed_at timestamp NOT NULL,
  total integer NOT NULL
);
CREATE TABLE order_lines (
  order_id text NOT NULL REFERENCES orders(id),
  product_id text NOT NULL REFERENCES products(id),
  quantity integer NOT NULL,
  price integer NOT NULL,
  PRIMARY KEY (order_id, product_id)
);
CREATE TABLE revenue_by_day (
  day text PRIMARY KEY NOT NULL,
  orders integer NOT NULL,
  revenue integer NOT NULL
);
CREATE TABLE progress (
  name text PRIMARY KEY NOT NULL,
  lsn integer NOT NULL
);
